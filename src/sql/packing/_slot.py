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

from ...models import Field, FieldType, Kind, plain_json
from .._codec import codec
from .._dialect import SQLITE
from ._binary import (
    binary,
    datetime_number,
    day_number,
    fixed_format,
    interval_parts,
    naive_datetime_number,
    time_number,
)

__all__ = ["NULL", "WORDS", "Slot", "binary_slot", "is_fixed", "parameter_slot"]

NULL: Final = Struct(">i").pack(-1)
"""Length of a value that is not there."""

_JSONB: Final = b"\x01"
_MAX_TIMEDELTA: Final = timedelta(microseconds=2**63 - 1)

_SIZES: Final = [*map(Struct(">i").pack, range(4096)), NULL]
"""Lengths as COPY reads them; that of no value, -1, is the last.

Taking one from here is 50 ns quicker than packing it.
"""

_UNUSUAL: Final = {
    # True where a value is not in its normal form, or not at all what it should be:
    # then the check of the field decides. `v - v` is 0.0 of finite floats only.
    Kind.FLOAT: "type({x}) is not float or {x} - {x} != 0.0",
    Kind.BOOL: "type({x}) is not bool",
    Kind.BYTES: "type({x}) is not bytes",
    Kind.DATE: "type({x}) is not DATE",
    Kind.TIME: "type({x}) is not TIME or {x}.tzinfo is not None",
    Kind.DATETIME: "type({x}) is not DATETIME or {x}.tzinfo is not UTC",
    Kind.NAIVE_DATETIME: "type({x}) is not DATETIME or {x}.tzinfo is not None",
    Kind.TIMEDELTA: "type({x}) is not TIMEDELTA or not SHORTEST <= {x} <= LONGEST",
    Kind.UUID: "type({x}) is not UUID",
}
# `struct` refuses an int past 64 bits, and `encode` a lone surrogate.
_UNUSUAL_BINARY: Final = {
    **_UNUSUAL,
    Kind.INT: "type({x}) is not int",
    Kind.STR: 'type({x}) is not str or "\\0" in {x}',
}
_UNUSUAL_PARAMETER: Final = {
    **_UNUSUAL,
    Kind.INT: "type({x}) is not int or not -0x8000000000000000 <= {x} <= 0x7FFFFFFFFFFFFFFF",
    Kind.STR: 'type({x}) is not str or "\\0" in {x} or not {x}.isascii()',
}
_BINARY: Final = {
    # From a checked value: what `struct` takes, or the bytes themselves.
    Kind.INT: "{x}",
    Kind.FLOAT: "{x} + 0.0",
    Kind.BOOL: "{x}",
    Kind.STR: "{x}.encode()",
    Kind.BYTES: "{x}",
    Kind.DATE: "day_number({x})",
    Kind.TIME: "time_number({x})",
    Kind.DATETIME: "datetime_number({x})",
    Kind.NAIVE_DATETIME: "naive_datetime_number({x})",
    Kind.TIMEDELTA: "interval_parts({x})",
    Kind.UUID: "{x}.bytes",
}
_PARAMETER: Final = {
    Kind.INT: "{x}",
    Kind.FLOAT: "{x} + 0.0",
    Kind.BOOL: "1 if {x} else 0",
    Kind.STR: "{x}",
    Kind.BYTES: "{x}",
}
_NUMBERS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.DATE: day_number,
    Kind.TIME: time_number,
    Kind.DATETIME: datetime_number,
    Kind.NAIVE_DATETIME: naive_datetime_number,
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
    "NULL": NULL,
    "SIZES": _SIZES,
    "size_of": Struct(">i").pack,
    "JSONB": _JSONB,
    "plain_json": plain_json,
    "day_number": day_number,
    "time_number": time_number,
    "datetime_number": datetime_number,
    "naive_datetime_number": naive_datetime_number,
    "interval_parts": interval_parts,
}
"""What the code of every slot may name."""


class Slot(msgspec.Struct, frozen=True, eq=False):
    """One column.

    Attributes:
        field: Its field.
        make: Lines that turn ``{x}``, a value that is not None and was not checked
            yet, into what the database takes; they raise when it cannot be stored.
        of: Does the same with a checked value.
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
    return bool(fixed_format(field.type))


def binary_slot(field: Field, at: int) -> Slot:
    """Return the slot of a column in what PostgreSQL's COPY reads."""
    type_ = field.type
    names: dict[str, Any] = {f"check{at}": type_.check}
    encode = names[f"encode{at}"] = binary(type_)
    if type_.choices:
        return Slot(field, _choice(type_, at, names), encode, names)
    kind = type_.kind
    if kind in _BINARY:
        make = _make(_UNUSUAL_BINARY[kind], _BINARY[kind], at)
        format_ = fixed_format(type_)
        of = _NUMBERS.get(kind, _same) if format_ else encode
        return Slot(field, make, of, names, format_)
    if kind is Kind.JSON:
        make = (*_json(type_, at, names), "else: {x} = JSONB + x[0]")
        return Slot(field, make, encode, names)
    make = (f"{{x}} = encode{at}(check{at}({{x}}))",)
    return Slot(field, make, encode, names)


def parameter_slot(field: Field, at: int) -> Slot:
    """Return the slot of a column in the parameters of a statement of SQLite."""
    type_ = field.type
    names: dict[str, Any] = {f"check{at}": type_.check}
    encode = names[f"encode{at}"] = codec(type_, SQLITE).encode or _same
    if type_.choices:
        return Slot(field, _choice(type_, at, names), encode, names)
    kind = type_.kind
    if kind is Kind.JSON:
        make = (*_json(type_, at, names), "else: {x} = x[0].decode()")
        return Slot(field, make, encode, names)
    if kind in _UNUSUAL_PARAMETER:
        expression = _PARAMETER.get(kind, f"encode{at}({{x}})")
        make = _make(_UNUSUAL_PARAMETER[kind], expression, at)
        return Slot(field, make, encode, names)
    make = (f"{{x}} = encode{at}(check{at}({{x}}))",)
    return Slot(field, make, encode, names)


def _make(unusual: str, expression: str, at: int) -> tuple[str, ...]:
    check = f"if {unusual}: {{x}} = check{at}({{x}})"
    return (check,) if expression == "{x}" else (check, f"{{x}} = {expression}")


def _same(value: Any) -> Any:  # noqa: ANN401  any type
    return value


def _choice(type_: FieldType, at: int, names: dict[str, Any]) -> tuple[str, ...]:
    """Look up what is stored of a choice; one that is told by its value is checked."""
    encode = names[f"encode{at}"]
    names[f"stored{at}"] = {each: encode(each) for each in type_.choices}
    names[f"class{at}"] = type(type_.choices[0])
    return (
        f"x = stored{at}.get({{x}}) if type({{x}}) is class{at} else None",
        f"{{x}} = stored{at}[check{at}({{x}})] if x is None else x",
    )


def _json(type_: FieldType, at: int, names: dict[str, Any]) -> tuple[str, ...]:
    names[f"class{at}"] = type_.python_type
    return (
        f"x = plain_json({{x}}) if type({{x}}) is class{at} else None",
        f"if x is None: {{x}} = encode{at}(check{at}({{x}}))",
    )
