"""The shape of a database as a value: tables, columns, and what binds them.

Rules of this file: a shape is what the database would say of itself, not what was
asked of it. Types, defaults and conditions are text as the database writes them; names
are bare, and a schema is told only where a plain name would not find the table. So
two shapes of one dialect are equal exactly if nothing is to be done between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeAlias

import msgspec

from ..errors import UnknownTableError
from ..models import FieldType

__all__ = [
    "Action",
    "Check",
    "Column",
    "EnumType",
    "ForeignKey",
    "Identity",
    "IndexPart",
    "Key",
    "Schema",
    "TableIndex",
    "TableShape",
    "Unique",
    "View",
]

Action: TypeAlias = Literal[
    "NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"
]
"""What becomes of rows whose target is deleted, or gets another key."""

Identity: TypeAlias = Literal["always", "by default", "serial", "rowid"]
"""Who makes the values of a column.

``always`` and ``by default`` are PostgreSQL's identities, ``serial`` a default of
``nextval``; ``rowid`` is SQLite's ``INTEGER PRIMARY KEY``.
"""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table or a view.

    Attributes:
        name: Its name.
        type: Its type, as the database says it.
        field_type: What a field of it holds; None where no field can.
        is_nullable: Whether it may hold NULL.
        default: The expression of its default, or None. None for ``serial`` too.
        identity: Who makes its values, if the database does.
        is_autoincrement: Whether such a value is never used again (SQLite).
        generated: The expression it is always computed from, or None.
        is_stored: Whether what is computed is stored.
        collation: Its collation, where it is not the type's own.
    """

    name: str
    type: str
    field_type: FieldType | None = None
    is_nullable: bool = True
    default: str | None = None
    identity: Identity | None = None
    is_autoincrement: bool = False
    generated: str | None = None
    is_stored: bool = False
    collation: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether the database has a value when an insert says none."""
        return (
            self.is_nullable
            or self.default is not None
            or self.identity is not None
            or self.generated is not None
        )


class Key(msgspec.Struct, frozen=True):
    """A primary key.

    Attributes:
        columns: What it is made of, in order.
        name: The name of its constraint; None where it has none (SQLite).
    """

    columns: tuple[str, ...]
    name: str | None = None


class Unique(msgspec.Struct, frozen=True):
    """A unique constraint; an index that is unique is a `TableIndex`.

    Attributes:
        columns: What no two rows share, in order.
        name: Its name; None where it has none (SQLite).
        nulls_distinct: Whether two rows may share NULL.
    """

    columns: tuple[str, ...]
    name: str | None = None
    nulls_distinct: bool = True


class Check(msgspec.Struct, frozen=True):
    """A condition that every row fulfils.

    Attributes:
        condition: As the database writes it, without brackets around it.
        name: Its name; None where it has none (SQLite).
    """

    condition: str
    name: str | None = None


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """Columns whose values are keys of another table, or of the same.

    Attributes:
        columns: In order.
        target: Name of the table they point to.
        target_columns: The columns they point to, in the order of *columns*.
        target_schema: Its schema, where a plain name would not find it.
        on_delete: What a delete of the target does.
        on_update: What another key of the target does.
        is_deferrable: Whether it may be looked at as late as the commit.
        name: Its name; None where it has none (SQLite).
    """

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    target_schema: str | None = None
    on_delete: Action = "NO ACTION"
    on_update: Action = "NO ACTION"
    is_deferrable: bool = False
    name: str | None = None


class IndexPart(msgspec.Struct, frozen=True):
    """What an index sorts by: a column, or an expression.

    Attributes:
        text: The name of the column, or the expression as the database writes it.
        is_expression: Whether it is the latter.
        is_descending: Whether the greatest comes first.
    """

    text: str
    is_expression: bool = False
    is_descending: bool = False


class TableIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index that is no part of a key or a unique constraint.

    Attributes:
        name: Its name.
        parts: What it sorts by, in order.
        is_unique: Whether no two rows agree in all parts.
        where: The rows it covers, as the database writes the condition; None is all.
        included: Columns it carries along (PostgreSQL).
        method: How it is built; always ``btree`` on SQLite.
    """

    name: str
    parts: tuple[IndexPart, ...]
    is_unique: bool = False
    where: str | None = None
    included: tuple[str, ...] = ()
    method: str = "btree"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns among its parts."""
        return tuple(each.text for each in self.parts if not each.is_expression)

    @property
    def is_plain(self) -> bool:
        """Whether it sorts all rows by columns alone."""
        return self.where is None and not any(each.is_expression for each in self.parts)


class TableShape(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One table.

    Attributes:
        name: Its name.
        schema: Its schema, where a plain name would not find it; else None.
        columns: In order.
        key: Its primary key, or None.
        uniques: Unique constraints, by their columns.
        checks: By name, then condition.
        indexes: By name.
        foreign_keys: By their columns.
    """

    name: str
    columns: tuple[Column, ...]
    schema: str | None = None
    key: Key | None = None
    uniques: tuple[Unique, ...] = ()
    checks: tuple[Check, ...] = ()
    indexes: tuple[TableIndex, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def full_name(self) -> str:
        """The name, with the schema before it where that is needed."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One view.

    Attributes:
        name: Its name.
        schema: Its schema, where a plain name would not find it; else None.
        columns: In order; empty when the view is broken.
        definition: The query behind it, as the database writes it.
        is_materialized: Whether its rows are stored (PostgreSQL).
    """

    name: str
    columns: tuple[Column, ...]
    schema: str | None = None
    definition: str = ""
    is_materialized: bool = False

    @property
    def full_name(self) -> str:
        """The name, with the schema before it where that is needed."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


class EnumType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of PostgreSQL whose values are these labels.

    Attributes:
        name: Its name.
        labels: In their order.
        schema: Its schema, where a plain name would not find it; else None.
    """

    name: str
    labels: tuple[str, ...]
    schema: str | None = None


class Schema(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The shape of a database, or what models ask it to be.

    Attributes:
        dialect: ``postgresql`` or ``sqlite``.
        tables: By schema and name.
        views: By schema and name.
        enums: By schema and name; PostgreSQL only.
    """

    dialect: str
    tables: tuple[TableShape, ...] = ()
    views: tuple[View, ...] = ()
    enums: tuple[EnumType, ...] = ()

    @property
    def relations(self) -> tuple[TableShape | View, ...]:
        """The tables, and the views behind them."""
        return *self.tables, *self.views

    @cached_property
    def by_name(self) -> Mapping[str, TableShape | View]:
        """Tables and views by their full names."""
        return {each.full_name: each for each in self.relations}

    def table(self, name: str) -> TableShape:
        """Return the table of this full name.

        Raises:
            UnknownTableError: There is none; the nearest name is told.
        """
        for each in self.tables:
            if each.full_name == name:
                return each
        raise UnknownTableError(name, tuple(each.full_name for each in self.tables))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON would hold it, without what Python makes of types."""
        text = msgspec.json.encode(self, enc_hook=_unsaid)
        plain: dict[str, Any] = msgspec.json.decode(text)
        for table in (*plain["tables"], *plain["views"]):
            for column in table["columns"]:
                del column["field_type"]
        return plain


def _unsaid(_: object) -> None:
    """Stand for what JSON does not hold; it is left out."""
