"""What became of one row, from the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from ..drivers import Row
from ..errors import AuditBrokenError
from ..models import Model
from ..sql import POSTGRESQL, SQLITE, Dialect, Statement, codec, column_type
from ._facts import Facts
from ._hidden import Hidden
from ._values import revived
from .recording import (
    KEYS,
    RECORDS,
    SEALED,
    audit_tables,
    audited_buffer,
    is_withheld,
    key_of,
    key_text,
)

__all__ = ["Version", "history_of", "key_statement"]

Values: TypeAlias = dict[str, Any]

_DECODER: Final = msgspec.json.Decoder(Values, float_hook=Decimal)
"""Fractions as they were written: JSON has more digits than a float."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a row.

    Attributes:
        at: When, in UTC; None for a write that did not come by a node.
        action: ``insert``, ``update`` or ``delete``.
        old: Values before, by name: those that changed, or all; None of a new row.
        new: Values after, likewise; None of a row that went. On both sides there is a
            `Hidden` for a personal value that cannot be told.
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
    find = _postgresql if dialect is POSTGRESQL else _sqlite
    return Statement(find(model, places), values, returns_rows=True)


_SELECTED: Final = "l.at, e.op, e.old, e.new, l.facts"


def _postgresql(model: Model, places: Sequence[str]) -> str:
    same, tables = key_text(model, places), audit_tables(model.schema)
    return (
        f"SELECT {_SELECTED}, to_json(array_positions(e.keys, {same}))::text "
        f"FROM {tables.records} AS e LEFT JOIN {tables.leaves} AS l ON l.leaf = e.leaf "
        f"WHERE e.model = $1 AND (e.keys @> ARRAY[{same}] OR "
        f"e.key = json_build_array({', '.join(places)})::text) ORDER BY e.id"
    )


def _sqlite(model: Model, places: Sequence[str]) -> str:
    same = key_of(model, places)
    buffer = audited_buffer(model, SQLITE)
    assert buffer is not None, "asked of models with values only"  # noqa: S101
    columns, old_key = "op, key, old, new, keys", f"json_array({', '.join(places)})"
    # Its index is a table, so it may lead anywhere: a record is believed if it says itself
    # that it is of this row. What waits in the buffer was done after all that is recorded.
    return (
        f"SELECT {_SELECTED}, CASE WHEN e.model = ?1 AND e.keys IS NULL AND e.key = "
        f"{old_key} THEN NULL ELSE (SELECT json_group_array(j.key + 1) FROM "
        f"json_each(e.keys) AS j WHERE j.value = {same} AND e.model = ?1) END FROM ("
        f"SELECT 0 AS late, id, leaf, model, {columns} FROM {RECORDS} WHERE id IN (SELECT "
        f"record FROM {KEYS} WHERE model = ?1 AND key = {same} UNION ALL SELECT id FROM "
        f"{RECORDS} WHERE model = ?1 AND key = {old_key}) UNION ALL SELECT 1, id, leaf, "
        f"?1, {columns} FROM ({buffer.waiting(same)})) AS e LEFT JOIN {audit_tables().leaves} AS l ON "
        "l.leaf = e.leaf ORDER BY e.late, e.id"
    )


def history_of(
    model: Model, dialect: Dialect, rows: Iterable[Row]
) -> Iterator[Version]:
    """Yield the changes that `key_statement` found, the first one first.

    Raises:
        AuditBrokenError: A record was found that is of another row, or is none.
    """
    for at, op, old, new, facts, told in rows:
        when = None if at is None else datetime.fromisoformat(at)
        who = None if facts is None else msgspec.json.decode(facts, type=Facts)
        for action, before, after in _changes(model, (op, old, new, told)):
            yield Version(
                at=when,
                action=action,
                old=_values(model, dialect, before),
                new=_values(model, dialect, after),
                facts=who,
            )


def _changes(
    model: Model, record: tuple[str, str | None, str | None, str | None]
) -> list[tuple[str, Values | None, Values | None]]:
    """Return what a record says of a row.

    Raises:
        AuditBrokenError: It is of another row, or is none.
    """
    try:
        found = list(_told(*record))
    except (msgspec.DecodeError, LookupError, TypeError) as error:
        problem = "has a record that cannot be read; verify its audit"
        raise AuditBrokenError(model.name, 0, problem) from error
    if not found:
        problem = (
            f"has a key in {KEYS} that finds a record of another row; verify its audit"
        )
        raise AuditBrokenError(model.name, 0, problem)
    return found


def _told(
    op: str, old: str | None, new: str | None, places: str | None
) -> Iterator[tuple[str, Values | None, Values | None]]:
    """Yield what was done, and the values before and after."""
    sides = [None if each is None else _DECODER.decode(each) for each in (old, new)]
    if places is None:  # of a form that holds one row
        yield op, sides[0], sides[1]
        return
    for place in msgspec.json.decode(places, type=list[int]):
        action = msgspec.json.decode(op)[place - 1] if op.startswith("[") else op
        before, after = (_picked(each, place - 1) for each in sides)
        yield (
            action,
            None if action == "insert" else before,
            None if action == "delete" else after,
        )


def _picked(side: Values | None, place: int) -> Values | None:
    """Return the values of one row: all columns have them in order, or by place."""
    if side is None:
        return None
    picked: Values = {}
    for name, column in side.items():
        if isinstance(column, list):
            picked[name] = column[place]
        elif str(place) in column:
            picked[name] = column[str(place)]
    return picked


def _values(model: Model, dialect: Dialect, given: Values | None) -> Values | None:
    if given is None:
        return None
    values: Values = {}
    for name, value in given.items():
        if name == SEALED:  # `unsealed` puts in its place what it holds
            values[name] = value
        elif name in model.names:  # another version of the model may have had others
            is_left_out = is_withheld(value)
            field = model.field(name)
            values[name] = (
                Hidden.WITHHELD if is_left_out else revived(field, value, dialect)
            )
    return values
