"""From checked values to what a client takes, and back from what it gives.

Rules of this file: a value was checked by its `FieldType` before it is encoded,
so encoding cannot fail; None never gets here; a codec of None and None lets
values pass as they are. What SQLite has no type for is stored so that it sorts
by itself (ISO text of fixed width, scaled integers), and an element of a list is
stored in JSON as it would be in a column. What does not decode raises one of
`UNDECODABLE`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import partial
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec

from ..models import FieldType, Kind, encode_json
from ._column import NUMERIC, is_scaled
from ._dialect import Dialect

__all__ = ["INLINE_NAMES", "UNDECODABLE", "Codec", "codec"]

Convert = Callable[[Any], Any]

UNDECODABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a decoder raises on a value that its type never stores.

`msgspec.DecodeError` is a ValueError, `decimal.InvalidOperation` arithmetic.
"""


class Codec(msgspec.Struct, frozen=True, eq=False):
    """How values of one type travel to and from one database.

    Attributes:
        encode: Makes what the client takes; None when values pass as they are.
        decode: Makes the value from what the client gives; None likewise.
        inline: The same as *decode* and shorter, where a call of Python is worth
            saving: an expression with ``{value}``, which may be None, and ``{decode}``
            for the rest. `INLINE_NAMES` are known in it.
    """

    encode: Convert | None = None
    decode: Convert | None = None
    inline: str = "None if {value} is None else {decode}({value})"


_AS_IT_IS: Final = Codec()


def codec(type_: FieldType, dialect: Dialect) -> Codec:
    """Return the codec for values of *type_* on the database of *dialect*."""
    if dialect.name == "sqlite":
        return _sqlite(type_)
    return _postgresql(type_)


# -- PostgreSQL: asyncpg knows the types; jsonb travels as text and comes parsed --


def _postgresql(type_: FieldType) -> Codec:
    match type_.kind:
        case Kind.ENUM:
            return _enum(type_)
        case Kind.JSON:
            return Codec(encode_json)
        case Kind.STRUCT:
            return Codec(_encode_struct, _converted(type_.python_type))
        case Kind.LIST if type_.element is not None:
            element = _postgresql(type_.element)
            return Codec(_mapped(element.encode), _mapped(element.decode))
        case Kind.STR if type_.column in ADDRESSES:
            return _ADDRESS
        case _:
            return _NATIVE.get(type_.kind, _AS_IT_IS)


def _converted(struct: type[msgspec.Struct]) -> Convert:
    return partial(msgspec.convert, type=struct)


_EXACT: Final = Context(prec=150_000)
"""Room for any ``numeric``; Source: PostgreSQL, Arbitrary Precision Numbers."""

# asyncpg gives 10000 as 1E+4; the sum with an integer zero has no exponent over 0.
_expanded: Final = partial(_EXACT.add, Decimal(0))


def _aware(value: datetime) -> datetime:
    """Give the first and the last instant their timezone.

    asyncpg stores them as -infinity and infinity, and hands those out naive.
    """
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


_NATIVE: Final = {
    Kind.DATETIME: Codec(
        None,
        _aware,
        # 20 ns, a call 40 ns.
        "{value} if {value} is None or {value}.tzinfo is not None else {decode}({value})",
    ),
    Kind.DECIMAL: Codec(None, _expanded),
}

ADDRESSES: Final = frozenset({"cidr", "inet"})
"""Types of PostgreSQL for which asyncpg has classes of its own, taken as text here."""

_ADDRESS: Final = Codec(None, str)


def _mapped(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None

    def convert_list(values: list[Any]) -> list[Any]:
        return [convert(value) for value in values]

    return convert_list


# -- SQLite: five storage classes -------------------------------------------------


def _sqlite(type_: FieldType) -> Codec:
    match type_.kind:
        case Kind.ENUM:
            return _enum(type_)
        case Kind.DECIMAL:
            return _sqlite_decimal(type_)
        case Kind.JSON:
            return Codec(encode_json, _parse(type_.python_type))
        case Kind.STRUCT:
            return Codec(_encode_struct, _parse(type_.python_type))
        case Kind.LIST if type_.element is not None:
            return _json_list(type_.element)
        case _:
            return _PLAIN.get(type_.stored_kind, _AS_IT_IS)


def _sqlite_decimal(type_: FieldType) -> Codec:
    if type_.column == NUMERIC:
        return Codec(_encode_decimal, _numeric(type_.scale))
    return _scaled(type_.scale or 0) if is_scaled(type_) else _DECIMAL_TEXT


def _parse(python_type: Any) -> Convert:  # noqa: ANN401  # list[int] is no type
    return msgspec.json.Decoder(python_type).decode


def _enum(type_: FieldType) -> Codec:
    return Codec(attrgetter("value"), type_.stored_choices.__getitem__)


def _encode_struct(value: msgspec.Struct) -> str:
    return encode_json(msgspec.to_builtins(value))


def _scaled(scale: int) -> Codec:
    def encode(value: Decimal) -> int:
        return int(value.scaleb(scale, _EXACT))

    def decode(stored: int) -> Decimal:
        return Decimal(_integer(stored)).scaleb(-scale, _EXACT)

    return Codec(encode, decode)


def _json_list(element: FieldType) -> Codec:
    inner = _IN_JSON.get(element.stored_kind) or _sqlite(element)
    kind = element.stored_kind
    wire = int if is_scaled(element) else _WIRE.get(kind, str)
    encode, decode = _mapped(inner.encode), _mapped(inner.decode)
    parse = _parse(list[wire])  # type: ignore[valid-type]

    def encode_list(values: list[Any]) -> str:
        return encode_json(values if encode is None else encode(values))

    def decode_list(stored: str) -> list[Any]:
        values: list[Any] = parse(stored)
        return values if decode is None else decode(values)

    return Codec(encode_list, decode_list)


_BOOLS: Final = {0: False, 1: True}
_SECOND: Final = 1_000_000  # microseconds


def _integer(stored: object) -> int:
    if type(stored) is not int:
        raise TypeError(type(stored).__name__)
    return stored


def _encode_decimal(value: Decimal) -> str:
    return format(value, "f")


def _decode_decimal(stored: str) -> Decimal:
    value = Decimal(stored)
    if not value.is_finite():
        raise ValueError(stored)
    return value


def _numeric(scale: int | None) -> Convert:
    """Return what reads a column that others made, whose numbers SQLite chose.

    What it keeps as a float is the nearest to the decimal that was meant.
    """
    unit = None if scale is None else Decimal(1).scaleb(-scale)

    def decode(stored: float | str) -> Decimal:
        value = _expanded(_decode_decimal(str(stored)))
        return value if unit is None else value.quantize(unit, context=_EXACT)

    return decode


def _encode_iso(value: datetime | time) -> str:
    return value.isoformat(timespec="microseconds")


def _decode_datetime(stored: str) -> datetime:
    value = datetime.fromisoformat(stored)
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        # Others write so: CURRENT_TIMESTAMP and datetime('now') are in UTC.
        # Source: sqlite.org/lang_datefunc.html.
        return value.replace(tzinfo=UTC)
    return value.astimezone(UTC)


def _encode_naive(value: datetime) -> str:
    # As SQLite's own functions and Python's sqlite3 write it, so that it sorts among
    # what others stored. Source: sqlite.org/lang_datefunc.html, "Time Values".
    return value.isoformat(" ")


def _decode_naive(stored: str) -> datetime:
    value = datetime.fromisoformat(stored)
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _encode_timedelta(value: timedelta) -> int:
    return (value.days * 86_400 + value.seconds) * _SECOND + value.microseconds


def _decode_timedelta(stored: int) -> timedelta:
    return timedelta(microseconds=_integer(stored))


def _encode_base64(value: bytes) -> str:
    return b64encode(value).decode()


_DECIMAL_TEXT: Final = Codec(_encode_decimal, _decode_decimal)

_PLAIN: Final = {
    Kind.BOOL: Codec(int, _BOOLS.__getitem__),
    # SQLite packs 1.0 as an integer, and RETURNING hands that out (3.40).
    Kind.FLOAT: Codec(None, float),
    Kind.DATE: Codec(date.isoformat, date.fromisoformat),
    Kind.TIME: Codec(_encode_iso, time.fromisoformat),
    Kind.DATETIME: Codec(
        _encode_iso,
        _decode_datetime,
        # 95 ns, a call 190 ns.
        "None if {value} is None else "
        "at if (at := instant({value})).tzinfo is UTC else {decode}({value})",
    ),
    Kind.NAIVE_DATETIME: Codec(_encode_naive, _decode_naive),
    Kind.TIMEDELTA: Codec(_encode_timedelta, _decode_timedelta),
    Kind.UUID: Codec(str, UUID),
}
INLINE_NAMES: Final[Mapping[str, Any]] = {
    "UTC": UTC,
    "instant": datetime.fromisoformat,
}
"""What the expressions of `Codec.inline` refer to."""

_IN_JSON: Final = {
    Kind.BOOL: _AS_IT_IS,
    Kind.FLOAT: _AS_IT_IS,
    Kind.BYTES: Codec(_encode_base64, partial(b64decode, validate=True)),
}
_WIRE: Final[dict[Kind, Any]] = {
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.BOOL: bool,
    Kind.TIMEDELTA: int,
}
"""What JSON holds of a list's element; text when not said."""
