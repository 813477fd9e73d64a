"""How a column of each type is declared, as a table.

PostgreSQL's names serve for casts too (``$1::bigint[]``). SQLite looks for words
inside a name to find the affinity of a column: INT, CHAR or TEXT, BLOB, REAL.
The names here keep the affinity that corrupts nothing (text that looks like a
number stays text) and still tell types apart, so that a changed scale of a
Decimal, stored as a scaled integer, shows in the schema.
Source: sqlite.org/datatype3.html, section 3.1.
"""

from __future__ import annotations

from typing import Final

from ..models import FieldType, Kind
from ._dialect import Dialect

__all__ = ["FLOAT_DIGITS", "MAX_SCALED_DIGITS", "NUMERIC", "column_type", "is_scaled"]

NUMERIC: Final = "NUMERIC"
"""Decimals in a column of SQLite that others made: integers and floats."""

FLOAT_DIGITS: Final = 15
"""Digits of a decimal that such a float holds exactly.

Source: sqlite.org/datatype3.html, section 3, affinity NUMERIC.
"""

MAX_SCALED_DIGITS: Final = 18
"""Digits that always fit in an integer of 64 bits."""

_POSTGRESQL: Final = {
    Kind.INT: "bigint",
    Kind.FLOAT: "double precision",
    Kind.DECIMAL: "numeric",
    Kind.BOOL: "boolean",
    Kind.STR: "text",
    Kind.BYTES: "bytea",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.DATETIME: "timestamptz",
    Kind.NAIVE_DATETIME: "timestamp",
    Kind.TIMEDELTA: "interval",
    Kind.UUID: "uuid",
    Kind.JSON: "jsonb",
    Kind.STRUCT: "jsonb",
}
_SQLITE: Final = {
    Kind.INT: "INTEGER",
    Kind.FLOAT: "REAL",
    Kind.DECIMAL: "DECIMAL_TEXT",
    Kind.BOOL: "BOOLEAN",  # affinity NUMERIC: 0 and 1 stay integers
    Kind.STR: "TEXT",
    Kind.BYTES: "BLOB",
    Kind.DATE: "DATE_TEXT",
    Kind.TIME: "TIME_TEXT",
    Kind.DATETIME: "DATETIME_TEXT",
    Kind.NAIVE_DATETIME: "TIMESTAMP_TEXT",
    Kind.TIMEDELTA: "INTERVAL",  # affinity INTEGER: its name begins so
    Kind.UUID: "UUID_TEXT",
    Kind.JSON: "JSON_TEXT",
    Kind.STRUCT: "JSON_TEXT",
    Kind.LIST: "JSON_TEXT",
}


def column_type(type_: FieldType, dialect: Dialect) -> str:
    """Return the name of the column type, without collation."""
    if dialect.name == "sqlite":
        return _sqlite_name(type_)
    kind = type_.stored_kind
    if type_.column is not None and type_.column != NUMERIC:
        return type_.column
    if kind is Kind.LIST and type_.element is not None:
        return f"{column_type(type_.element, dialect)}[]"
    if kind is Kind.DECIMAL and type_.digits is not None:
        return f"numeric({type_.precision}, {type_.scale})"
    return _POSTGRESQL[kind]


def _sqlite_name(type_: FieldType) -> str:
    sizes = f"({type_.precision}, {type_.scale})" if type_.digits is not None else ""
    if type_.column == NUMERIC:
        return f"{NUMERIC}{sizes}"
    if is_scaled(type_):
        return f"DECIMAL_INT{sizes}"
    return _SQLITE[type_.stored_kind]


def is_scaled(type_: FieldType) -> bool:
    """Whether SQLite stores the Decimal as an integer, times ten to its scale."""
    precision, is_own = type_.precision, type_.column is None
    return is_own and precision is not None and precision <= MAX_SCALED_DIGITS
