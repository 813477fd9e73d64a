"""Statements that create a table, written by SQLAlchemy Core; no engine.

This file is imported when a table must be created, and by nothing before:
SQLAlchemy takes about 0.3 s to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine, UserDefinedType

from ..models import Field, Kind, Model
from ..sql import Dialect, Statement, column_type, is_scaled
from ._naming import names_of, unique_constraints

__all__ = ["create_table"]

_DIALECTS: Final[dict[str, sa.Dialect]] = {
    # Any paramstyle but its default, which doubles a % inside a name.
    "postgresql": PGDialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
    "sqlite": SQLiteDialect(),
}


class _Named(UserDefinedType[Any]):
    """A column type by its name; the choice was made in `dataflow.sql`."""

    cache_ok: bool | None = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Return what stands behind the name of the column."""
        return self.name


def create_table(model: Model, dialect: Dialect) -> list[Statement]:
    """Return the statements that create the table of *model*, in order."""
    table = _table(model, dialect)
    elements: list[ExecutableDDLElement] = [CreateTable(table, if_not_exists=True)]
    elements += map(CreateIndex, _indexes(model, table))
    written = [element.compile(dialect=_DIALECTS[dialect.name]) for element in elements]
    return [Statement(str(text).strip()) for text in written]


def _table(model: Model, dialect: Dialect) -> sa.Table:
    names = _names(model, unique_constraints(model), "key")
    constraints = [
        sa.UniqueConstraint(*map(_quoted, fields), name=name)
        for fields, name in names.items()
    ]
    key_name = _names(model, [()], "pkey")[()]
    key = sa.PrimaryKeyConstraint(*map(_quoted, model.key), name=key_name)
    return sa.Table(
        _quoted(model.table),
        sa.MetaData(),
        *(_column(field, dialect) for field in model.fields),
        key,
        *constraints,
        sqlite_autoincrement=model.generated_key is not None,
    )


def _column(field: Field, dialect: Dialect) -> sa.Column[Any]:
    name, is_nullable = _quoted(field.column), field.is_nullable
    if not field.is_generated:
        return sa.Column(
            name, _type(field, dialect), nullable=is_nullable, autoincrement=False
        )
    if dialect.name == "postgresql":
        return sa.Column(name, sa.BigInteger, sa.Identity(always=False))
    return sa.Column(name, sa.Integer)


def _type(field: Field, dialect: Dialect) -> TypeEngine[Any]:
    name = column_type(field.type, dialect)
    is_own = field.type.column is None
    is_text = field.type.kind is Kind.DECIMAL and not is_scaled(field.type)
    if is_own and dialect.name == "sqlite" and is_text:
        # The driver compares by it, so that 10 comes after 9.
        name = f"{name} COLLATE DECIMAL"
    if is_own and dialect.name == "postgresql" and field.type.stored_kind is Kind.STR:
        # Text is ordered by code point; an index must be too, to serve the order.
        name = f'{name} COLLATE "C"'
    return _Named(name)


def _indexes(model: Model, table: sa.Table) -> Iterator[sa.Index]:
    names = _names(model, (each.fields for each in model.indexes), "idx")
    for index in model.indexes:
        if index.is_unique and index.name is None:
            continue  # a constraint
        name = _quoted(index.name or names[index.fields])
        columns = [table.c[field] for field in index.fields]
        yield sa.Index(name, *columns, unique=index.is_unique)


def _names(
    model: Model, groups: Iterable[tuple[str, ...]], suffix: str
) -> dict[tuple[str, ...], quoted_name]:
    """Return the quoted name of each group of fields."""
    named = names_of(model, groups, suffix).items()
    return {fields: _quoted(name) for fields, name in named}


def _quoted(name: str) -> quoted_name:
    return quoted_name(name, quote=True)
