"""PostgreSQL's binary form of values, as COPY reads it.

Rules of this file: a value was checked by its `FieldType` before it gets here. The
bytes are those that asyncpg sends for a parameter, its two infinities included: the
first and the last day are stored as ``-infinity`` and ``infinity``.
Source: PostgreSQL, the ``*_recv`` function of each type, and `array_recv`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from struct import Struct
from typing import Any, Final

from ...models import FieldType, Kind
from .._codec import codec
from .._dialect import POSTGRESQL

__all__ = [
    "FIXED",
    "TYPE_IDS",
    "binary",
    "datetime_number",
    "day_number",
    "fixed_format",
    "interval_parts",
    "naive_datetime_number",
    "time_number",
    "type_id",
]

Encode = Callable[[Any], bytes]

FIXED: Final = {
    Kind.INT: "q",
    Kind.FLOAT: "d",
    Kind.BOOL: "?",
    Kind.DATE: "i",
    Kind.TIME: "q",
    Kind.DATETIME: "q",
    Kind.NAIVE_DATETIME: "q",
    Kind.TIMEDELTA: "qii",
    Kind.UUID: "16s",
}
"""Formats of `struct`, of the kinds whose values are all of one size."""

TYPE_IDS: Final = {
    # Source: PostgreSQL, src/include/catalog/pg_type.dat: of the type, of its array.
    Kind.INT: (20, 1016),
    Kind.FLOAT: (701, 1022),
    Kind.DECIMAL: (1700, 1231),
    Kind.BOOL: (16, 1000),
    Kind.STR: (25, 1009),
    Kind.BYTES: (17, 1001),
    Kind.DATE: (1082, 1182),
    Kind.TIME: (1083, 1183),
    Kind.DATETIME: (1184, 1185),
    Kind.NAIVE_DATETIME: (1114, 1115),
    Kind.TIMEDELTA: (1186, 1187),
    Kind.UUID: (2950, 2951),
    Kind.JSON: (3802, 3807),
    Kind.STRUCT: (3802, 3807),
}

_NARROW: Final = {
    # The same of columns that others made; the form of the text types is that of text.
    "smallint": ("h", 21, 1005),
    "integer": ("i", 23, 1007),
    "real": ("f", 700, 1021),
    "bpchar": ("", 1042, 1014),
    "character varying": ("", 1043, 1015),
}
_UNKNOWN: Final = (0, 0)  # no type has this id

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(2000, 1, 1).toordinal()
_FIRST_DAY: Final = date.min.toordinal() - _EPOCH_DAY
_LAST_DAY: Final = date.max.toordinal() - _EPOCH_DAY
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_INSTANT: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_INSTANT: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_JSONB_VERSION: Final = b"\x01"
_NEGATIVE: Final = 0x4000  # Source: numeric.c, NUMERIC_NEG
_GROUP: Final = 4  # decimal digits in one of numeric's


def fixed_format(type_: FieldType) -> str:
    """Return the format of `struct` where all values are of one size, else nothing."""
    if type_.column in _NARROW:
        return _NARROW[type_.column][0]
    return FIXED.get(type_.kind, "")


def type_id(type_: FieldType) -> int:
    """Return the id of the type whose form `binary` makes; 0 where it knows none."""
    if type_.kind is Kind.LIST and type_.element is not None:
        return _ids(type_.element)[1]
    return _ids(type_)[0]


def _ids(type_: FieldType) -> tuple[int, int]:
    if type_.column is None:
        return TYPE_IDS[type_.stored_kind]
    _, *ids = _NARROW.get(type_.column, ("", *_UNKNOWN))
    return ids[0], ids[1]


def day_number(value: date) -> int:
    """Return the days since 2000."""
    days = value.toordinal() - _EPOCH_DAY
    if _FIRST_DAY < days < _LAST_DAY:
        return days
    return -(2**31) if days < 0 else 2**31 - 1


def time_number(value: time) -> int:
    """Return the microseconds since midnight."""
    minutes = value.hour * 60 + value.minute
    return (minutes * 60 + value.second) * 1_000_000 + value.microsecond


def datetime_number(value: datetime) -> int:
    """Return the microseconds since 2000."""
    since = value - _EPOCH
    number = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if _FIRST_INSTANT < number < _LAST_INSTANT:
        return number
    return -(2**63) if number < 0 else 2**63 - 1


def naive_datetime_number(value: datetime) -> int:
    """Return the microseconds since 2000 began there and then."""
    return datetime_number(value.replace(tzinfo=UTC))


def interval_parts(value: timedelta) -> tuple[int, int, int]:
    """Return microseconds, days and months; a timedelta has no months."""
    return value.seconds * 1_000_000 + value.microseconds, value.days, 0


def binary(type_: FieldType) -> Encode:
    """Return what makes the bytes of a checked value of *type_*, never None."""
    if type_.choices:
        return _choice(type_)
    if type_.kind is Kind.LIST and type_.element is not None:
        return _array(type_.element)
    if type_.kind in (Kind.JSON, Kind.STRUCT):
        text = codec(type_, POSTGRESQL).encode
        if text is None:  # pragma: no cover  # both have one
            raise TypeError(type_)
        return lambda value: _JSONB_VERSION + text(value).encode()
    if type_.column in _NARROW and fixed_format(type_):
        return Struct(f">{fixed_format(type_)}").pack
    return _PLAIN[type_.kind]


def _choice(type_: FieldType) -> Encode:
    encode = _PLAIN[type_.stored_kind]
    known = {choice: encode(stored) for stored, choice in type_.stored_choices.items()}
    return known.__getitem__


def _packed(kind: Kind, number: Callable[[Any], Any]) -> Encode:
    pack = Struct(f">{FIXED[kind]}").pack
    return lambda value: pack(number(value))


def _array(element: FieldType) -> Encode:
    encode = binary(element)
    type_id = _ids(element)[0]
    head, size = Struct(">iiiii").pack, Struct(">i").pack
    empty = Struct(">iii").pack(0, 0, type_id)

    def encode_array(values: list[Any]) -> bytes:
        if not values:
            return empty
        parts = [head(1, 0, type_id, len(values), 1)]
        for value in values:
            data = encode(value)
            parts += (size(len(data)), data)
        return b"".join(parts)

    return encode_array


def _numeric(value: Decimal) -> bytes:
    """Encode a Decimal: groups of four digits, aligned at the point.

    `numeric_recv` takes zeros off both ends by itself.
    """
    sign, digits, exponent = value.as_tuple()
    scale = -int(exponent)
    text = "".join(map(str, digits)) + "0" * (-scale % _GROUP)
    text = text.rjust(-(-len(text) // _GROUP) * _GROUP, "0")
    groups = [int(text[at : at + _GROUP]) for at in range(0, len(text), _GROUP)]
    weight = len(groups) - -(-scale // _GROUP) - 1
    head = (len(groups), weight, _NEGATIVE if sign else 0, scale)
    return Struct(f">hhHh{len(groups)}h").pack(*head, *groups)


_interval: Final = Struct(f">{FIXED[Kind.TIMEDELTA]}").pack

_PLAIN: Final[dict[Kind, Encode]] = {
    Kind.INT: Struct(">q").pack,
    Kind.FLOAT: Struct(">d").pack,
    Kind.BOOL: Struct(">?").pack,
    Kind.DECIMAL: _numeric,
    Kind.STR: str.encode,
    Kind.BYTES: bytes,
    Kind.DATE: _packed(Kind.DATE, day_number),
    Kind.TIME: _packed(Kind.TIME, time_number),
    Kind.DATETIME: _packed(Kind.DATETIME, datetime_number),
    Kind.NAIVE_DATETIME: _packed(Kind.NAIVE_DATETIME, naive_datetime_number),
    Kind.TIMEDELTA: lambda value: _interval(*interval_parts(value)),
    Kind.UUID: lambda value: value.bytes,
}
