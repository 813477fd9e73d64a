"""Values of fields, from the JSON of records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from ..models import Field, Kind
from ..sql import POSTGRESQL, Dialect, codec

__all__ = ["revived"]


def revived(field: Field, value: object, dialect: Dialect) -> object:
    """Return a value of JSON as its field has it."""
    if value is None:
        return None
    type_, kind = field.type, field.type.stored_kind
    if kind is Kind.FLOAT:
        return type_.check(float(cast("str", value)))
    if dialect is not POSTGRESQL:
        stored = bytes.fromhex(str(value)) if kind is Kind.BYTES else value
        decode = codec(type_, dialect).decode
        return type_.check(stored if decode is None else decode(stored))
    if kind is Kind.LIST and type_.element is not None:
        element = type_.element
        plain = [_plain(element.stored_kind, each) for each in cast("list[Any]", value)]
        return type_.check(plain)
    return type_.check(_plain(kind, value))


def _plain(kind: Kind, value: object) -> object:
    make = _MAKERS.get(kind)
    if kind is Kind.JSON or kind is Kind.STRUCT:
        return _floats(value)
    return value if make is None or value is None else make(str(value))


def _floats(value: object) -> object:
    """Return JSON with plain numbers."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_floats(each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _floats(each) for name, each in members.items()}
    return value


_SPAN: Final = re.compile(
    r"(?:(-?\d+) days? ?)?(?:([+-]?)(\d+):(\d+):(\d+(?:\.\d+)?))?$"
)


def _span(text: str) -> timedelta:
    """Read an interval as PostgreSQL writes it: ``-1 days -02:03:04.5``."""
    found = _SPAN.match(text)
    if found is None:
        msg = f"no length of time: {text!r}"
        raise ValueError(msg)
    days, sign, hours, minutes, seconds = found.groups()
    part = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) + timedelta(
        microseconds=round(Decimal(seconds or 0) * 1_000_000)
    )
    return timedelta(days=int(days or 0)) + (-part if sign == "-" else part)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


_MAKERS: Final[Mapping[Kind, Any]] = {
    Kind.DECIMAL: Decimal,
    Kind.BYTES: _bytes,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
    Kind.DATETIME: datetime.fromisoformat,
    Kind.NAIVE_DATETIME: datetime.fromisoformat,
    Kind.TIMEDELTA: _span,
    Kind.UUID: UUID,
    Kind.FLOAT: float,
}
