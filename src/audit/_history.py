"""What became of one row, from the audit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from ..drivers import Row
from ..models import Field, Kind, Model
from ..sql import POSTGRESQL, Dialect, Statement, codec, column_type
from ._facts import Facts
from ._tables import EVENTS, LEAVES

__all__ = ["Version", "history_of", "key_statement"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a row.

    Attributes:
        at: When, in UTC; None for a write that did not come by a node.
        action: ``insert``, ``update`` or ``delete``.
        old: Values before, by name: those that changed, or all; None of a new row.
        new: Values after, likewise; None of a row that went.
        facts: Who, why and by what; None if nobody knows.
    """

    at: datetime | None
    action: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    facts: Facts | None


def key_statement(model: Model, dialect: Dialect, key: Mapping[str, Any]) -> Statement:
    """Select what is recorded of the row with a key, in order; `history_of` reads it.

    Args:
        model: Of what.
        dialect: Of which database.
        key: The values of `Model.identity`.
    """
    places: list[str] = []
    values: list[Any] = [model.name]
    for n, name in enumerate(model.identity, 2):
        type_ = model.field(name).type
        encode = codec(type_, dialect).encode
        values.append(key[name] if encode is None else encode(key[name]))
        place = dialect.place(n)
        if dialect is POSTGRESQL:
            place = f"{place}::{column_type(type_, dialect)}"
        places.append(place)
    made = "json_build_array" if dialect is POSTGRESQL else "json_array"
    same = f"{made}({', '.join(places)})"
    if dialect is POSTGRESQL:
        same += "::text"
    text = (
        f"SELECT l.at, e.op, e.old, e.new, l.facts FROM {EVENTS} AS e "
        f"LEFT JOIN {LEAVES} AS l ON l.leaf = e.leaf "
        f"WHERE e.model = {dialect.place(1)} AND e.key = {same} ORDER BY e.id"
    )
    return Statement(text, values, returns_rows=True)


def history_of(model: Model, dialect: Dialect, rows: list[Row]) -> list[Version]:
    """Return the changes that `key_statement` found, the first one first."""
    return [
        Version(
            at=None if at is None else datetime.fromisoformat(at),
            action=action,
            old=_values(model, dialect, old),
            new=_values(model, dialect, new),
            facts=None if facts is None else msgspec.json.decode(facts, type=Facts),
        )
        for at, action, old, new, facts in rows
    ]


def _values(model: Model, dialect: Dialect, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    given: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return {
        name: _revived(model.field(name), value, dialect)
        for name, value in given.items()
        if name in model.names  # another version of the model may have had others
    }


def _revived(field: Field, value: object, dialect: Dialect) -> object:
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
    return json.loads(json.dumps(value, default=float))


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
