"""Values of models as SQL: DDL takes no parameters.

Rules of this file: a value was checked by its `FieldType`, and what is text in the SQL
is made by the database's own rules of quoting. Nothing a user of the program sends gets
here: the values are defaults that models declare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from ....models import FieldType, Kind, encode_json
from ....sql import SQLITE, codec

__all__ = ["literal", "quoted"]


def quoted(text: str) -> str:
    """Return *text* as a literal; a backslash is one (standard_conforming_strings)."""
    return "'" + text.replace("'", "''") + "'"


def literal(value: Any, type_: FieldType, column_type: str, dialect: str) -> str:  # noqa: ANN401  # its type's
    """Return *value* as SQL.

    Args:
        value: In its normal form, not None.
        type_: What it is.
        column_type: Name of the column's type.
        dialect: ``postgresql`` or ``sqlite``.
    """
    if dialect == "sqlite":
        encode = codec(type_, SQLITE).encode
        return _stored(value if encode is None else encode(value))
    return f"{_postgresql(value, type_)}::{column_type}"


def _stored(value: object) -> str:
    """Return one of SQLite's values."""
    match value:
        case bool():
            return str(int(value))
        case int() | float():
            return repr(value)
        case bytes():
            return f"X'{value.hex()}'"
        case _:
            return quoted(str(value))


def _postgresql(value: Any, type_: FieldType) -> str:  # noqa: ANN401  # its type's
    if isinstance(value, Enum):
        value = value.value
    match type_.kind:
        case Kind.LIST if type_.element is not None:
            inner = [_postgresql(each, type_.element) for each in value]
            return f"ARRAY[{', '.join(inner)}]"
        case Kind.JSON | Kind.STRUCT:
            return quoted(_json(value, type_))
        case _:
            return _WRITERS[type(value)](value)


def _json(value: Any, type_: FieldType) -> str:  # noqa: ANN401  # its type's
    encode = codec(type_, SQLITE).encode  # the same text on both
    return str(encode_json(value) if encode is None else encode(value))


def _timedelta(value: timedelta) -> str:
    parts: Sequence[tuple[int, str]] = (
        (value.days, "days"),
        (value.seconds, "seconds"),
        (value.microseconds, "microseconds"),
    )
    return quoted(" ".join(f"{number} {unit}" for number, unit in parts))


def _iso(value: date | datetime | time) -> str:
    return quoted(value.isoformat())


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    bool: lambda value: "true" if value else "false",
    int: lambda value: f"({value})" if value < 0 else str(value),
    float: lambda value: quoted(repr(value)),
    Decimal: lambda value: quoted(format(value, "f")),
    str: quoted,
    bytes: lambda value: quoted(f"\\x{value.hex()}"),
    date: _iso,
    datetime: _iso,
    time: _iso,
    timedelta: _timedelta,
    UUID: lambda value: quoted(str(value)),
}
