"""SQL that a user wrote, made ready for either database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from ..models import FieldType, Kind, encode_json
from ._codec import codec
from ._dialect import SQLITE, Dialect
from ._statement import Statement

__all__ = ["raw_statement"]

# What may hold a `$1` that is none: strings, quoted names and comments.
_PLACE: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\d+)""", re.DOTALL
)
_READS: Final = re.compile(
    r"\s*(?:select|with|values|table|show|explain|pragma)\b|.*\breturning\b",
    re.IGNORECASE | re.DOTALL,
)


def raw_statement(text: str, values: Iterable[Any], dialect: Dialect) -> Statement:
    """Return the statement of *text* with ``$1``, ``$2`` … placeholders.

    SQLite gets its own placeholders, and values in the form in which models store
    them; PostgreSQL's client knows all of these types itself.
    """
    returns_rows = _READS.match(text) is not None
    if dialect is not SQLITE:
        return Statement(text, tuple(values), returns_rows=returns_rows)
    return Statement(
        _PLACE.sub(_numbered, text),
        tuple(_stored(value) for value in values),
        returns_rows=returns_rows,
    )


def _numbered(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else f"?{found[1]}"


def _encoder(kind: Kind, type_: type) -> Callable[[Any], Any]:
    encode = codec(FieldType(kind, type_), SQLITE).encode
    return encode if encode is not None else lambda value: value


_ENCODERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    bool: int,
    datetime: _encoder(Kind.DATETIME, datetime),
    date: _encoder(Kind.DATE, date),
    time: _encoder(Kind.TIME, time),
    timedelta: _encoder(Kind.TIMEDELTA, timedelta),
    Decimal: _encoder(Kind.DECIMAL, Decimal),
    UUID: _encoder(Kind.UUID, UUID),
    dict: encode_json,
    list: encode_json,
}


def _stored(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    encode = _ENCODERS.get(type(value))
    return value if encode is None else encode(value)
