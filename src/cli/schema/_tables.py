"""A schema as tables for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...schema import Column, Schema, TableShape, View

__all__ = ["show"]


def show(schema: Schema, console: Console) -> None:
    """Print every table and view of *schema*."""
    if not schema.by_name:
        console.print("There are no tables.")
    for table in schema.relations:
        console.print(Group(_columns(table), *_rules(table)))


def _columns(table: TableShape | View) -> RenderableType:
    kind = "" if isinstance(table, TableShape) else " (view)"
    # Names are told as text: what stands in brackets in them is no style.
    shown = Table(title=Text(f"{table.full_name}{kind}"), title_justify="left")
    for title in ("column", "type", "null", "default", "field"):
        shown.add_column(title)
    key = () if isinstance(table, View) or table.key is None else table.key.columns
    for column in table.columns:
        name = Text(column.name, style="bold" if column.name in key else "")
        null = "yes" if column.is_nullable else ""
        field = "-" if column.field_type is None else column.field_type.describe()
        texts = (column.type, null, _default(column), field)
        shown.add_row(name, *map(Text, texts))
    return shown


def _default(column: Column) -> str:
    if column.generated is not None:
        return f"= {column.generated}"
    return column.identity or column.default or ""


def _rules(table: TableShape | View) -> Iterator[RenderableType]:
    """Yield a line for each thing that binds the columns."""
    if isinstance(table, View):
        return
    if table.key is not None:
        yield Text(f"key: {', '.join(table.key.columns)}")
    for unique in table.uniques:
        yield Text(f"unique: {', '.join(unique.columns)}")
    for key in table.foreign_keys:
        target = f"{key.target} ({', '.join(key.target_columns)})"
        yield Text(f"foreign key: {', '.join(key.columns)} -> {target}")
    for check in table.checks:
        yield Text(f"check: {check.condition}")
    for index in table.indexes:
        kind = "unique index" if index.is_unique else "index"
        parts = ", ".join(part.text for part in index.parts)
        where = "" if index.where is None else f" where {index.where}"
        yield Text(f"{kind}: {parts}{where}")
