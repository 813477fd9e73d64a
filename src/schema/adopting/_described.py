"""A shape as plain dicts, the way `DataFlow.discover_schema` tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from .._shape import Column, ForeignKey, IndexPart, Schema, TableIndex, TableShape, View
from ._name import singular

__all__ = ["described"]

_LENGTH: Final = re.compile(r"(?i)(?:var)?char(?:acter)?(?: varying)?\s*\((\d+)\)")
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_ID: Final = re.compile(r"(?i)_?id$")


def described(schema: Schema) -> dict[str, dict[str, Any]]:
    """Return what there is by the full names of tables and views."""
    children: dict[str, list[tuple[TableShape, ForeignKey]]] = {}
    for table in schema.tables:
        for each in table.foreign_keys:
            children.setdefault(each.target, []).append((table, each))
    result = {
        table.full_name: _table(table, children.get(table.name, ()), schema.dialect)
        for table in schema.tables
    }
    result.update((view.full_name, _view(view)) for view in schema.views)
    return result


def _table(
    table: TableShape,
    children: Iterable[tuple[TableShape, ForeignKey]],
    dialect: str,
) -> dict[str, Any]:
    key = () if table.key is None else table.key.columns
    return {
        "kind": "table",
        "columns": [_column(each, key) for each in table.columns],
        "primary_key": list(key),
        "foreign_keys": [pair for each in table.foreign_keys for pair in _pairs(each)],
        "relationships": _relationships(table, children),
        "indexes": [
            {
                "name": each.name,
                "unique": each.is_unique,
                "columns": list(each.columns),
                "definition": _definition(table, each, dialect),
            }
            for each in table.indexes
        ],
        "unique_constraints": [
            {"name": each.name, "columns": list(each.columns)} for each in table.uniques
        ],
        "checks": [
            {"name": each.name, "condition": each.condition} for each in table.checks
        ],
    }


def _view(view: View) -> dict[str, Any]:
    return {
        "kind": "materialized view" if view.is_materialized else "view",
        "columns": [_column(each, ()) for each in view.columns],
        "primary_key": [],
        "foreign_keys": [],
        "relationships": {},
        "indexes": [],
        "unique_constraints": [],
        "checks": [],
        "definition": view.definition,
    }


def _column(column: Column, key: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "nullable": column.is_nullable,
        "primary_key": column.name in key,
    }
    length = _LENGTH.fullmatch(column.type)
    labels = () if column.field_type is None else column.field_type.choices
    extras = {
        "default": column.default,
        "max_length": None if length is None else int(length[1]),
        "identity": column.identity,
        "generated": column.generated,
        "collation": column.collation,
        "values": [*labels] or None,
        "field_type": None
        if column.field_type is None
        else column.field_type.kind.value,
    }
    return told | {name: value for name, value in extras.items() if value is not None}


def _pairs(key: ForeignKey) -> Iterable[dict[str, Any]]:
    target = key.target
    if key.target_schema is not None:
        target = f"{key.target_schema}.{target}"
    for column, other in zip(key.columns, key.target_columns, strict=True):
        yield {
            "column_name": column,
            "foreign_table_name": target,
            "foreign_column_name": other,
            "constraint_name": key.name,
            "on_delete": key.on_delete,
            "on_update": key.on_update,
        }


def _relationships(
    table: TableShape, children: Iterable[tuple[TableShape, ForeignKey]]
) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    for each in table.foreign_keys:
        name = _ID.sub("", each.columns[0]) or singular(each.target)
        _tell(told, name, "belongs_to", each.target, each)
    for child, each in children:
        _tell(told, child.name, "has_many", child.name, each)
    return told


def _tell(
    told: dict[str, dict[str, Any]], name: str, kind: str, table: str, key: ForeignKey
) -> None:
    """Tell a relationship; a second one of its name gets that of its column too."""
    if name in told:
        name = f"{name}_by_{'_'.join(key.columns)}"
    is_single = len(key.columns) == 1
    told[name] = {
        "type": kind,
        "target_table": table,
        "foreign_key": key.columns[0] if is_single else list(key.columns),
        "target_key": key.target_columns[0] if is_single else list(key.target_columns),
    }


def _definition(table: TableShape, index: TableIndex, dialect: str) -> str:
    """Return the statement that would make an index."""
    names = (each for each in (table.schema, table.name) if each is not None)
    unique = "UNIQUE " if index.is_unique else ""
    method = "" if dialect == "sqlite" else f"USING {index.method} "
    text = f"CREATE {unique}INDEX {_name(index.name)} ON {'.'.join(map(_name, names))} "
    text += f"{method}({', '.join(map(_part, index.parts))})"
    if index.included:
        text += f" INCLUDE ({', '.join(map(_name, index.included))})"
    return text if index.where is None else f"{text} WHERE {index.where}"


def _part(part: IndexPart) -> str:
    text = part.text if part.is_expression else _name(part.text)
    return f"{text} DESC" if part.is_descending else text


def _name(name: str) -> str:
    """Return a name in quotes, if it needs them."""
    if _PLAIN.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
