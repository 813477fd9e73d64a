"""What differs between a database and its models, one value per difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ....models import FieldType
from ..._shape import Column, ForeignKey, Key, TableIndex, TableShape, Unique

__all__ = [
    "AddColumn",
    "AddForeignKey",
    "AddIndex",
    "AddKey",
    "AddUnique",
    "Change",
    "ChangeType",
    "CreateTable",
    "DropColumn",
    "DropForeignKey",
    "DropIndex",
    "DropKey",
    "DropNotNull",
    "DropTable",
    "DropUnique",
    "Fill",
    "RenameColumn",
    "RenameConstraint",
    "RenameIndex",
    "RenameTable",
    "SetIdentity",
    "SetNotNull",
]


class Fill(msgspec.Struct, frozen=True, eq=False):
    """What rows that are there already get in a column.

    Attributes:
        type: Of the value.
        value: The value for all of them; without meaning if there is a factory.
        factory: Makes a value for each row, in its normal form; or None.
    """

    type: FieldType
    value: Any = None
    factory: Callable[[], Any] | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all changes.

    Attributes:
        table: Name of the table, as it is called once tables are renamed.
    """

    table: str


class CreateTable(Change, frozen=True, kw_only=True, eq=False):
    """A table that is missing."""

    shape: TableShape


class RenameTable(Change, frozen=True, kw_only=True, eq=False):
    """A table that was declared to have had another name."""

    old: str


class DropTable(Change, frozen=True, kw_only=True, eq=False):
    """A table that is to go, into quarantine first."""

    shape: TableShape
    quarantine: str


class RenameColumn(Change, frozen=True, kw_only=True, eq=False):
    """A column that was declared to have had another name."""

    old: str
    new: str


class AddColumn(Change, frozen=True, kw_only=True, eq=False):
    """A column that is missing."""

    column: Column
    fill: Fill | None = None


class DropColumn(Change, frozen=True, kw_only=True, eq=False):
    """A column that no field asks for, into quarantine first."""

    column: Column
    quarantine: str


class ChangeType(Change, frozen=True, kw_only=True, eq=False):
    """A column of another type or collation."""

    old: Column
    new: Column


class SetNotNull(Change, frozen=True, kw_only=True, eq=False):
    """A column that may no longer hold NULL."""

    column: Column
    fill: Fill | None = None


class DropNotNull(Change, frozen=True, kw_only=True, eq=False):
    """A column that may hold NULL from now on."""

    column: Column


class SetIdentity(Change, frozen=True, kw_only=True, eq=False):
    """A key whose values the database makes from now on, or no longer."""

    old: Column
    new: Column


class DropKey(Change, frozen=True, kw_only=True, eq=False):
    """A primary key of other columns than the model's."""

    key: Key


class AddKey(Change, frozen=True, kw_only=True, eq=False):
    """The primary key of the model."""

    key: Key


class AddUnique(Change, frozen=True, kw_only=True, eq=False):
    """A unique constraint that is missing."""

    unique: Unique


class DropUnique(Change, frozen=True, kw_only=True, eq=False):
    """A unique constraint that no model asks for any more."""

    unique: Unique


class AddIndex(Change, frozen=True, kw_only=True, eq=False):
    """An index that is missing."""

    index: TableIndex


class DropIndex(Change, frozen=True, kw_only=True, eq=False):
    """An index that no model asks for any more."""

    index: TableIndex


class RenameIndex(Change, frozen=True, kw_only=True, eq=False):
    """An index that is right but for its name."""

    old: TableIndex
    new: TableIndex


class RenameConstraint(Change, frozen=True, kw_only=True, eq=False):
    """A constraint that is right but for its name.

    SQLite, where names of constraints mean nothing, does it if the table is made anew.
    """

    old: str
    new: str


class AddForeignKey(Change, frozen=True, kw_only=True, eq=False):
    """A foreign key that is missing."""

    foreign_key: ForeignKey


class DropForeignKey(Change, frozen=True, kw_only=True, eq=False):
    """A foreign key that no model asks for any more."""

    foreign_key: ForeignKey
