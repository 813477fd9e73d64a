"""Statements that create a table, written by SQLAlchemy Core; no engine.

This file is imported when a table must be created, and by nothing before:
SQLAlchemy takes about 0.3 s to import.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine, UserDefinedType

from ..models import Action, Field, Kind, Model, Relation
from ..sql import Dialect, Statement, column_type, is_scaled
from ._naming import (
    names_of,
    per_tenant,
    primary_key,
    unique_constraints,
    unique_indexes,
)

__all__ = ["create_table", "create_tables"]

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
    """Return the statements that create the table of *model*, in order.

    Tables that it refers to must be there, on PostgreSQL.
    """
    return create_tables([model], dialect)


def create_tables(models: Sequence[Model], dialect: Dialect) -> list[Statement]:
    """Return the statements that create the tables of *models*, in order.

    A table comes behind those that it refers to. Where they refer to each other in a
    circle, PostgreSQL gets the foreign keys that close it afterwards; SQLite does not
    look at a foreign key before a row is written.
    """
    elements: list[ExecutableDDLElement] = []
    late: list[ExecutableDDLElement] = []
    missing = {model.table for model in models}
    for model in _ordered(models):
        missing.discard(model.table)
        table = _table(model, dialect)
        keys = _foreign_keys(model)
        table_keys = [table_key for _, table_key in keys]
        for table_key in table_keys:
            table.append_constraint(table_key)
        after = [
            table_key
            for relation, table_key in keys
            if dialect.name == "postgresql" and _must_wait(relation, missing)
        ]
        inline = [each for each in table_keys if each not in after]
        create = CreateTable(
            table, include_foreign_key_constraints=inline, if_not_exists=True
        )
        elements += [create, *map(CreateIndex, _indexes(model, table, dialect))]
        late += map(AddConstraint, after)
    written = [
        element.compile(dialect=_DIALECTS[dialect.name])
        for element in (*elements, *late)
    ]
    return [Statement(str(text).strip()) for text in written]


def _must_wait(relation: Relation, missing: Collection[str]) -> bool:
    """Whether what a foreign key needs is created after its table."""
    if relation.target is relation.source:
        # A unique index with a name of its own comes behind the table.
        return {theirs.name for _, theirs in relation.pairs} != {*relation.target.key}
    return relation.target.table in missing


def _ordered(models: Collection[Model]) -> list[Model]:
    """Return *models* with each behind those it refers to, as far as that can be."""
    ordered: dict[Model, None] = {}
    begun: set[Model] = set()

    def visit(model: Model) -> None:
        if model not in begun:
            begun.add(model)
            for relation in model.own_relations:
                if relation.target in models:
                    visit(relation.target)
            ordered[model] = None

    for model in models:
        visit(model)
    return list(ordered)


def _foreign_keys(model: Model) -> list[tuple[Relation, sa.ForeignKeyConstraint]]:
    """Return what a model refers to, and the constraints for it."""
    own = model.own_relations
    names = _names(model, (each.foreign_key.fields for each in own), "fkey")
    return [
        (relation, _foreign_key(relation, names[relation.foreign_key.fields]))
        for relation in own
    ]


def _foreign_key(relation: Relation, name: quoted_name) -> sa.ForeignKeyConstraint:
    fields, target = relation.foreign_key, relation.target
    columns: list[sa.Column[Any]] = [
        sa.Column(_quoted(theirs.column)) for _, theirs in relation.pairs
    ]
    table, schema = _quoted(target.table), _schema(target)
    sa.Table(table, sa.MetaData(), *columns, schema=schema)  # for its name alone
    return sa.ForeignKeyConstraint(
        [_quoted(own.column) for own, _ in relation.pairs],
        columns,
        name=name,
        ondelete=_ACTIONS[fields.on_delete],
        onupdate=_ACTIONS[fields.on_update],
    )


_ACTIONS: Final = {
    Action.NO_ACTION: None,  # what both databases do when nothing is said
    Action.RESTRICT: "RESTRICT",
    Action.CASCADE: "CASCADE",
    Action.SET_NULL: "SET NULL",
}


def _table(model: Model, dialect: Dialect) -> sa.Table:
    names = _names(model, unique_constraints(model), "key")
    constraints = [
        sa.UniqueConstraint(*map(_quoted, fields), name=name)
        for fields, name in names.items()
    ]
    key_name = _names(model, [()], "pkey")[()]
    key = sa.PrimaryKeyConstraint(*map(_quoted, primary_key(model)), name=key_name)
    return sa.Table(
        _quoted(model.table),
        sa.MetaData(),
        *(_column(field, dialect) for field in model.fields),
        key,
        *constraints,
        sqlite_autoincrement=model.generated_key is not None,
        schema=_schema(model),
    )


def _schema(model: Model) -> quoted_name | None:
    return None if model.schema is None else _quoted(model.schema)


def _column(field: Field, dialect: Dialect) -> sa.Column[Any]:
    name, is_nullable = _quoted(field.column), field.is_nullable
    if not field.is_generated:
        return sa.Column(
            name, _type(field, dialect), nullable=is_nullable, autoincrement=False
        )
    if dialect.name == "postgresql":
        type_ = _Named(column_type(field.type, dialect))
        return sa.Column(name, type_, sa.Identity(always=False))
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


def _indexes(model: Model, table: sa.Table, dialect: Dialect) -> Iterator[sa.Index]:
    names = _names(model, (each.fields for each in model.indexes), "idx")
    for index in model.indexes:
        if index.is_unique and index.name is None:
            continue  # a constraint
        name = _quoted(index.name or names[index.fields])
        if index.is_unique:
            yield _unique_index(
                model, table, dialect, name, per_tenant(model, index.fields)
            )
        else:
            columns = [_least_first(table.c[field], dialect) for field in index.fields]
            yield sa.Index(name, *columns)
    for fields, name in _names(model, unique_indexes(model), "key").items():
        yield _unique_index(model, table, dialect, name, fields)


def _unique_index(
    model: Model,
    table: sa.Table,
    dialect: Dialect,
    name: quoted_name,
    fields: Iterable[str],
) -> sa.Index:
    """Return an index that keeps rows apart, as long as they are not deleted."""
    deleted = model.deleted_field
    where = None if deleted is None else table.c[deleted].is_(None)
    columns = [_least_first(table.c[field], dialect) for field in fields]
    return sa.Index(
        name, *columns, unique=True, postgresql_where=where, sqlite_where=where
    )


def _least_first(column: sa.Column[Any], dialect: Dialect) -> sa.ColumnElement[Any]:
    """Return a column of an index in the order of lists, where NULL is the least.

    PostgreSQL's own way is the other one, and an index serves only its own order.
    """
    if column.nullable and dialect.name == "postgresql":
        return column.asc().nulls_first()
    return column


def _names(
    model: Model, groups: Iterable[tuple[str, ...]], suffix: str
) -> dict[tuple[str, ...], quoted_name]:
    """Return the quoted name of each group of fields."""
    named = names_of(model, groups, suffix).items()
    return {fields: _quoted(name) for fields, name in named}


def _quoted(name: str) -> quoted_name:
    return quoted_name(name, quote=True)
