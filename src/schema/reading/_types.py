"""What a field of a column holds, told by the name of the column's type.

Rules of this file: a type is mapped only if every value a field of it takes comes back
as it went in. What has no such type here (``money``, ``bit``, ranges, geometry, columns
of SQLite without a type) is left to raw SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from ...models import SCALARS, Digits, FieldType, Kind

__all__ = ["ColumnType", "field_type"]

_PYTHON: Final[dict[Kind, Any]] = {
    **SCALARS,
    Kind.NAIVE_DATETIME: datetime,
    Kind.JSON: object,
}


class ColumnType(msgspec.Struct, frozen=True):
    """The type of a column, as far as a field must know it.

    Attributes:
        text: Its name, with what stands in brackets behind it; below a domain, the
            name of what the domain is made of.
        labels: Those of an enum of PostgreSQL.
    """

    text: str
    labels: tuple[str, ...] = ()


def field_type(dialect: str, column: ColumnType) -> FieldType | None:
    """Return what a field of a column holds, or None where no field can.

    Args:
        dialect: ``postgresql`` or ``sqlite``.
        column: What the database says of the column.
    """
    if dialect == "sqlite":
        return _sqlite(column.text)
    return _postgresql(column)


def _of(kind: Kind, column: str | None = None) -> FieldType:
    return FieldType(kind, _PYTHON[kind], column=column)


# -- PostgreSQL -----------------------------------------------------------------------

_SIZED: Final = re.compile(r"([^(]*)\(([^)]*)\)(.*)")

_POSTGRESQL: Final = {
    # As format_type() writes them. Source: PostgreSQL, Data Types.
    "bigint": _of(Kind.INT),
    "integer": _of(Kind.INT, "integer"),
    "smallint": _of(Kind.INT, "smallint"),
    "double precision": _of(Kind.FLOAT),
    "real": _of(Kind.FLOAT, "real"),
    "numeric": _of(Kind.DECIMAL),
    "boolean": _of(Kind.BOOL),
    "text": _of(Kind.STR),
    "character varying": _of(Kind.STR, "character varying"),
    # Without brackets, `character` is one of a single character.
    "character": _of(Kind.STR, "bpchar"),
    "bpchar": _of(Kind.STR, "bpchar"),
    "name": _of(Kind.STR, "name"),
    "citext": _of(Kind.STR, "citext"),
    "inet": _of(Kind.STR, "inet"),
    "cidr": _of(Kind.STR, "cidr"),
    "macaddr": _of(Kind.STR, "macaddr"),
    "macaddr8": _of(Kind.STR, "macaddr8"),
    "bytea": _of(Kind.BYTES),
    "date": _of(Kind.DATE),
    "time without time zone": _of(Kind.TIME),
    "timestamp with time zone": _of(Kind.DATETIME),
    "timestamp without time zone": _of(Kind.NAIVE_DATETIME),
    "interval": _of(Kind.TIMEDELTA),
    "uuid": _of(Kind.UUID),
    "jsonb": _of(Kind.JSON),
    "json": _of(Kind.JSON, "json"),
}


def _postgresql(column: ColumnType) -> FieldType | None:
    text = column.text
    if text.endswith("[]"):
        element = _postgresql(ColumnType(text.removesuffix("[]"), column.labels))
        is_single = element is not None and not element.is_compound
        return FieldType(Kind.LIST, list, element=element) if is_single else None
    if column.labels:
        return FieldType(Kind.LITERAL, str, choices=column.labels, column=text)
    sized = _SIZED.fullmatch(text)
    if sized is None:
        # An extension may be anywhere: public.citext, extensions.citext.
        return _POSTGRESQL.get(text) or (
            _of(Kind.STR, text) if text.endswith(".citext") else None
        )
    name, sizes, rest = sized.groups()
    if name == "numeric":
        return _decimal(sizes)
    if name.startswith("interval"):
        return None  # to some fields of an interval only
    return _POSTGRESQL.get(f"{name}{rest}")


def _decimal(sizes: str, column: str | None = None) -> FieldType | None:
    precision, _, scale = sizes.partition(",")
    try:
        digits = Digits(int(precision), int(scale or 0))
    except ValueError:  # a scale below zero, or over the precision
        return None
    return FieldType(Kind.DECIMAL, Decimal, digits=digits, column=column)


# -- SQLite ---------------------------------------------------------------------------

_OWN: Final = {
    # The names this package gives, see `dataflow.sql._column`.
    "DECIMAL_TEXT": _of(Kind.DECIMAL),
    "DATE_TEXT": _of(Kind.DATE),
    "TIME_TEXT": _of(Kind.TIME),
    "DATETIME_TEXT": _of(Kind.DATETIME),
    "TIMESTAMP_TEXT": _of(Kind.NAIVE_DATETIME),
    "INTERVAL": _of(Kind.TIMEDELTA),
    "UUID_TEXT": _of(Kind.UUID),
    "JSON_TEXT": _of(Kind.JSON),
}
_NAMED: Final = {
    "BOOL": _of(Kind.BOOL),
    "BOOLEAN": _of(Kind.BOOL),
    "DATE": _of(Kind.DATE),
    "TIME": _of(Kind.TIME),
    # SQLite's functions, and most clients, store them without timezone.
    "DATETIME": _of(Kind.NAIVE_DATETIME),
    "TIMESTAMP": _of(Kind.NAIVE_DATETIME),
    "TIMESTAMP WITHOUT TIME ZONE": _of(Kind.NAIVE_DATETIME),
    "TIMESTAMPTZ": _of(Kind.DATETIME),
    "TIMESTAMP WITH TIME ZONE": _of(Kind.DATETIME),
    "UUID": _of(Kind.UUID),
    "JSON": _of(Kind.JSON),
    "JSONB": _of(Kind.JSON),
    "BYTEA": _of(Kind.BYTES),
    "NUMERIC": _of(Kind.DECIMAL, "NUMERIC"),
    "DECIMAL": _of(Kind.DECIMAL, "NUMERIC"),
}
_AFFINITIES: Final[Sequence[tuple[str, FieldType]]] = (
    # Words that decide about the affinity, in this order; the rest is NUMERIC.
    # Source: sqlite.org/datatype3.html, section 3.1.
    ("INT", _of(Kind.INT)),
    ("CHAR", _of(Kind.STR)),
    ("CLOB", _of(Kind.STR)),
    ("TEXT", _of(Kind.STR)),
    ("BLOB", _of(Kind.BYTES)),
    ("REAL", _of(Kind.FLOAT)),
    ("FLOA", _of(Kind.FLOAT)),
    ("DOUB", _of(Kind.FLOAT)),
)


def _sqlite(text: str) -> FieldType | None:
    text = " ".join(text.upper().split())
    sized = _SIZED.fullmatch(text)
    name, sizes = (text, "") if sized is None else sized.groups()[:2]
    name = name.strip()
    if name == "DECIMAL_INT":
        return _decimal(sizes)
    if sizes and name in {"DECIMAL", "NUMERIC"}:
        return _decimal(sizes, "NUMERIC")
    found = _OWN.get(name) or _NAMED.get(name)
    if found is not None:
        return found
    return next((type_ for word, type_ in _AFFINITIES if word in name), None)
