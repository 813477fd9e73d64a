"""The place of one column in a packed row: how its value gets there.

Rules of this file: code is made of the position of the column and of fixed words,
never of a name or a value; those reach it through the names of `Slot.names`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from struct import Struct
from typing import Any, Final
from uuid import UUID

import msgspec

from ...models import Field, FieldType, Kind
from .._codec import codec
from .._dialect import POSTGRESQL, SQLITE
from ._binary import (
    FIXED,
    binary,
    datetime_number,
    day_number,
    interval_parts,
    time_number,
)
from ._json import plain_json

__all__ = ["NULL", "WORDS", "Slot", "binary_slot", "is_fixed", "parameter_slot"]

NULL: Final = Struct(">i").pack(-1)
"""Length of a value that is not there."""

_JSONB: Final = b"\x01"
_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63 - 1
_MAX_TIMEDELTA: Final = timedelta(microseconds=_MAX_INT)

_UNUSUAL: Final = {
    # True where a value is not in its normal form, or not at all what it should be:
    # then the check of the field decides. `v - v` is 0.0 of finite floats only.
    Kind.FLOAT: "type(v) is not float or v - v != 0.0",
    Kind.BOOL: "type(v) is not bool",
    Kind.BYTES: "type(v) is not bytes",
    Kind.DATE: "type(v) is not DATE",
    Kind.TIME: "type(v) is not TIME or v.tzinfo is not None",
    Kind.DATETIME: "type(v) is not DATETIME or v.tzinfo is not UTC",
    Kind.TIMEDELTA: "type(v) is not TIMEDELTA or not SHORTEST <= v <= LONGEST",
    Kind.UUID: "type(v) is not UUID",
}
# `struct` refuses an int past 64 bits, and `encode` a lone surrogate.
_UNUSUAL_BINARY: Final = {
    **_UNUSUAL,
    Kind.INT: "type(v) is not int",
    Kind.STR: 'type(v) is not str or "\\0" in v',
}
_UNUSUAL_PARAMETER: Final = {
    **_UNUSUAL,
    Kind.INT: "type(v) is not int or not MIN_INT <= v <= MAX_INT",
    Kind.STR: 'type(v) is not str or "\\0" in v or not v.isascii()',
}
_BINARY: Final = {
    # From a checked value: what `struct` takes, or the bytes themselves.
    Kind.INT: "v",
    Kind.FLOAT: "v + 0.0",
    Kind.BOOL: "v",
    Kind.STR: "v.encode()",
    Kind.BYTES: "v",
    Kind.DATE: "day_number(v)",
    Kind.TIME: "time_number(v)",
    Kind.DATETIME: "datetime_number(v)",
    Kind.TIMEDELTA: "interval_parts(v)",
    Kind.UUID: "v.bytes",
}
_PARAMETER: Final = {
    Kind.INT: "v",
    Kind.FLOAT: "v + 0.0",
    Kind.BOOL: "1 if v else 0",
    Kind.STR: "v",
    Kind.BYTES: "v",
}
_NUMBERS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.DATE: day_number,
    Kind.TIME: time_number,
    Kind.DATETIME: datetime_number,
    Kind.TIMEDELTA: interval_parts,
    Kind.UUID: lambda value: value.bytes,
}

WORDS: Final[dict[str, Any]] = {
    "DATE": date,
    "TIME": time,
    "DATETIME": datetime,
    "UTC": UTC,
    "TIMEDELTA": timedelta,
    "UUID": UUID,
    "SHORTEST": -_MAX_TIMEDELTA,
    "LONGEST": _MAX_TIMEDELTA,
    "MIN_INT": _MIN_INT,
    "MAX_INT": _MAX_INT,
    "NULL": NULL,
    "JSONB": _JSONB,
    "plain_json": plain_json,
    "day_number": day_number,
    "time_number": time_number,
    "datetime_number": datetime_number,
    "interval_parts": interval_parts,
}
"""What the code of every slot may name."""


class Slot(msgspec.Struct, frozen=True, eq=False):
    """One column.

    Attributes:
        field: Its field.
        make: Lines that make ``x`` of ``v``, a value that is not None and was not
            checked yet; they raise when it cannot be stored.
        of: Makes the same of a checked value.
        names: What the lines name besides `WORDS`.
        format: Of `struct`, where all values are of one size; PostgreSQL only.
    """

    field: Field
    make: tuple[str, ...]
    of: Callable[[Any], Any]
    names: dict[str, Any]
    format: str = ""

    @property
    def size(self) -> int:
        """Bytes of a value, where all have as many."""
        return Struct(f">{self.format}").size


def is_fixed(field: Field) -> bool:
    """Whether all values of a column are of one size on PostgreSQL."""
    return field.type.kind in FIXED


def binary_slot(field: Field, at: int) -> Slot:
    """Return the slot of a column in what PostgreSQL's COPY reads."""
    type_ = field.type
    names: dict[str, Any] = {f"check{at}": type_.check}
    encode = names[f"encode{at}"] = binary(type_)
    if type_.choices:
        return Slot(field, _choice(type_, at, names), encode, names)
    kind = type_.kind
    if kind in _BINARY:
        make = (f"if {_UNUSUAL_BINARY[kind]}: v = check{at}(v)", f"x = {_BINARY[kind]}")
        of = _NUMBERS.get(kind, _same) if kind in FIXED else encode
        return Slot(field, make, of, names, FIXED.get(kind, ""))
    if kind is Kind.JSON:
        make = (*_json(type_, at, names), "else: x = JSONB + x")
        return Slot(field, make, encode, names)
    return Slot(field, (f"x = encode{at}(check{at}(v))",), encode, names)


def parameter_slot(field: Field, at: int) -> Slot:
    """Return the slot of a column in the parameters of a statement of SQLite."""
    type_ = field.type
    names: dict[str, Any] = {f"check{at}": type_.check}
    encode = names[f"encode{at}"] = codec(type_, SQLITE).encode or _same
    if type_.choices:
        return Slot(field, _choice(type_, at, names), encode, names)
    kind = type_.kind
    if kind is Kind.JSON:
        make = (*_json(type_, at, names), "else: x = x.decode()")
        return Slot(field, make, encode, names)
    if kind in _UNUSUAL_PARAMETER:
        expression = _PARAMETER.get(kind, f"encode{at}(v)")
        unusual = _UNUSUAL_PARAMETER[kind]
        make = (f"if {unusual}: v = check{at}(v)", f"x = {expression}")
        return Slot(field, make, encode, names)
    return Slot(field, (f"x = encode{at}(check{at}(v))",), encode, names)


def _same(value: Any) -> Any:  # noqa: ANN401  any type
    return value


def _choice(type_: FieldType, at: int, names: dict[str, Any]) -> tuple[str, ...]:
    """Look up what is stored of a choice; one that is told by its value is checked."""
    encode = names[f"encode{at}"]
    names[f"stored{at}"] = {each: encode(each) for each in type_.choices}
    names[f"class{at}"] = type(type_.choices[0])
    return (
        f"x = stored{at}.get(v) if type(v) is class{at} else None",
        f"if x is None: x = stored{at}[check{at}(v)]",
    )


def _json(type_: FieldType, at: int, names: dict[str, Any]) -> tuple[str, ...]:
    names[f"class{at}"] = type_.python_type
    return (
        f"x = plain_json(v) if type(v) is class{at} else None",
        f"if x is None: x = encode{at}(check{at}(v))",
    )
