"""Shapes as the SQL that makes them.

A table made from a shape reads back as the shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ....sql import SQLITE, Dialect
from ..._shape import Column, ForeignKey, IndexPart, TableIndex, TableShape, Unique

__all__ = [
    "column_text",
    "create_index",
    "create_table",
    "foreign_key_text",
    "names",
    "quote",
    "type_text",
    "unique_text",
]


def quote(name: str) -> str:
    """Return a name as SQL; both databases quote alike."""
    return SQLITE.quote(name)


def names(columns: Iterable[str]) -> str:
    """Return names as a list in brackets."""
    return f"({', '.join(map(quote, columns))})"


def create_table(
    table: TableShape, dialect: Dialect, *, name: str | None = None, tail: str = ""
) -> str:
    """Return the statement that makes a table, without its indexes.

    Args:
        table: What it is to look like.
        dialect: Of which database.
        name: What it is called, if not as the shape says.
        tail: What stands behind the last bracket.
    """
    is_sqlite = dialect.name == "sqlite"
    parts = [column_text(each, table, dialect) for each in table.columns]
    parts += _constraints(table, is_sqlite=is_sqlite)
    inside = ",\n  ".join(parts)
    return f"CREATE TABLE {quote(name or table.name)} (\n  {inside}\n){tail}"


def _constraints(table: TableShape, *, is_sqlite: bool) -> Iterator[str]:
    key = table.key
    has_rowid = any(each.is_autoincrement for each in table.columns)
    if key is not None and not (is_sqlite and has_rowid):
        yield f"{_named(key.name)}PRIMARY KEY {names(key.columns)}"
    yield from map(unique_text, table.uniques)
    for check in table.checks:
        yield f"{_named(check.name)}CHECK ({check.condition})"
    if is_sqlite:  # elsewhere they come later: what they refer to may be missing yet
        yield from map(foreign_key_text, table.foreign_keys)


def unique_text(unique: Unique) -> str:
    """Return a unique constraint."""
    nulls = "" if unique.nulls_distinct else "NULLS NOT DISTINCT "
    return f"{_named(unique.name)}UNIQUE {nulls}{names(unique.columns)}"


def foreign_key_text(key: ForeignKey) -> str:
    """Return a foreign key as a constraint of its table."""
    target = quote(key.target)
    if key.target_schema is not None:
        target = f"{quote(key.target_schema)}.{target}"
    text = (
        f"{_named(key.name)}FOREIGN KEY {names(key.columns)} "
        f"REFERENCES {target} {names(key.target_columns)}"
    )
    for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        text += "" if action == "NO ACTION" else f" ON {event} {action}"
    return f"{text} DEFERRABLE" if key.is_deferrable else text


def column_text(column: Column, table: TableShape, dialect: Dialect) -> str:
    """Return a column as `CREATE TABLE` and `ADD COLUMN` take it."""
    is_sqlite = dialect.name == "sqlite"
    words = [quote(column.name), type_text(column)]
    if column.generated is not None:
        words.append(f"GENERATED ALWAYS AS ({column.generated})")
        words.append("STORED" if column.is_stored else "VIRTUAL")
    if column.default is not None:
        default = f"({column.default})" if is_sqlite else column.default
        words.append(f"DEFAULT {default}")
    if column.identity in {"by default", "always"}:
        words.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
    if column.is_autoincrement:
        key = table.key
        words.append(f"{_named(key.name if key else None)}PRIMARY KEY AUTOINCREMENT")
    if not column.is_nullable:
        words.append("NOT NULL")
    return " ".join(word for word in words if word)


def type_text(column: Column) -> str:
    """Return the type of a column, with its collation."""
    if column.collation is None:
        return column.type
    return f"{column.type} COLLATE {quote(column.collation)}"


def create_index(index: TableIndex, table: str, *, is_concurrent: bool = False) -> str:
    """Return the statement that makes an index."""
    unique = "UNIQUE " if index.is_unique else ""
    way = "CONCURRENTLY " if is_concurrent else ""
    method = "" if index.method == "btree" else f"USING {index.method} "
    parts = ", ".join(map(_part, index.parts))
    text = (
        f"CREATE {unique}INDEX {way}{quote(index.name)} ON {quote(table)} "
        f"{method}({parts})"
    )
    if index.included:
        text += f" INCLUDE {names(index.included)}"
    return text if index.where is None else f"{text} WHERE {index.where}"


def _part(part: IndexPart) -> str:
    text = f"({part.text})" if part.is_expression else quote(part.text)
    return f"{text} DESC" if part.is_descending else text


def _named(name: str | None) -> str:
    return "" if name is None else f"CONSTRAINT {quote(name)} "
