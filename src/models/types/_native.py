"""What an annotation may say of a column that its class does not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec

from ._kind import Kind

__all__ = ["NATIVE_TYPES", "NaiveDatetime", "Native", "WithoutTimezone"]

NATIVE_TYPES: Final = {
    "smallint": Kind.INT,
    "integer": Kind.INT,
    "real": Kind.FLOAT,
    "text": Kind.STR,
    "character varying": Kind.STR,
    "bpchar": Kind.STR,
    "name": Kind.STR,
    "citext": Kind.STR,
    "inet": Kind.STR,
    "cidr": Kind.STR,
    "macaddr": Kind.STR,
    "macaddr8": Kind.STR,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
    "NUMERIC": Kind.DECIMAL,
}
"""Types of columns that others made, and what a field of one holds.

NUMERIC is SQLite's, the others are PostgreSQL's. A column of ``text`` has the collation
of its database, unlike that of a plain ``str``.
"""


class Native(msgspec.Struct, frozen=True):
    """The type of a column that others made: ``Annotated[int, Native("smallint")]``.

    The other database stores it as it stores the class; values are checked alike.

    Attributes:
        name: One of `NATIVE_TYPES`.
    """

    name: str


class WithoutTimezone(msgspec.Struct, frozen=True):
    """Says of a datetime that it has no timezone; see `NaiveDatetime`."""


NaiveDatetime: TypeAlias = Annotated[datetime, WithoutTimezone()]
"""A datetime without timezone: PostgreSQL's ``timestamp``, text on SQLite.

It means what the reader takes it to mean; a `datetime` means an instant.
"""
