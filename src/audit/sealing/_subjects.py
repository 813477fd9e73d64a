"""Whose a row is: the persons by whose keys its personal values are sealed.

Rules of this file:

1. A row belongs to all persons that its foreign keys lead to, as far as its model lets
   them, see ``subject`` in ``__dataflow__``. What belongs to several can be read only
   while the keys of all of them are there.
2. A row that belongs to nobody has a key of its own, as if it were a person.
3. Where nobody can tell whose it is (what it refers to is gone, without a record) there
   is None, and its values are left out: they could never be erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeAlias, final

import msgspec

from ...drivers import Connection
from ...models import Model
from ...sql import (
    POSTGRESQL,
    Dialect,
    Statement,
    codec,
    column_type,
    qualified,
)
from ..recording import audit_tables
from ._columns import rows_of

__all__ = ["Subjects", "Whose", "subject_name"]

_CHUNK: Final = 500
"""Rows that are asked for at once."""

Whose: TypeAlias = frozenset[str] | None
"""Names of persons; None if nobody can tell."""

Values: TypeAlias = Mapping[str, Any]


class _Way(msgspec.Struct, frozen=True, eq=False):
    """How rows lead to what they belong to: fields of theirs, and of that."""

    target: Model
    own: tuple[str, ...]
    theirs: tuple[str, ...]


def subject_name(model: Model, row: Values) -> str:
    """Return the name under which the key of a row is kept: its model and its key."""
    told = [_plain(row[name]) for name in model.identity]
    return f"{model.name}:{msgspec.json.encode(told).decode()}"


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value.normalize())  # 1.0 and 1.00 are the same key
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


@final
class Subjects:
    """Finds the persons that rows of one transaction belong to.

    Args:
        connection: In the transaction.
        dialect: Of that.
        leaf: Under which it is recorded: what was deleted in it is found there.
    """

    def __init__(self, connection: Connection, dialect: Dialect, leaf: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self._leaf = leaf

    async def of(self, model: Model, rows: Sequence[Values]) -> list[Whose]:
        """Return the persons of each row.

        Args:
            model: What the rows are.
            rows: At least the values of `anchors_of`.
        """
        if model.privacy.is_subject:
            return [frozenset((subject_name(model, row),)) for row in rows]
        found: list[Whose] = [frozenset()] * len(rows)
        for way in _ways(model):
            for n, whose in enumerate(await self._by(way, rows)):
                before = found[n]
                found[n] = None if before is None or whose is None else before | whose
        return [
            frozenset((subject_name(model, row),)) if whose == frozenset() else whose
            for row, whose in zip(rows, found, strict=True)
        ]

    async def _by(self, way: _Way, rows: Sequence[Values]) -> list[Whose]:
        """Return the persons that one way leads to."""
        led = [tuple(row[name] for name in way.own) for row in rows]
        wanted = dict.fromkeys(each for each in led if None not in each)
        known: dict[tuple[Any, ...], Whose] = {}
        if way.target.privacy.is_subject and {*way.target.identity} <= {*way.theirs}:
            for each in wanted:
                told = dict(zip(way.theirs, each, strict=True))
                known[each] = frozenset((subject_name(way.target, told),))
        elif wanted:
            parents = await self._parents(way, wanted)
            whose = await self.of(way.target, [*parents.values()])
            known = dict(zip(parents, whose, strict=True))
        return [frozenset() if None in each else known.get(each) for each in led]

    async def _parents(
        self, way: _Way, wanted: Iterable[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], Values]:
        """Return the rows that are referred to, by the values that refer to them."""
        found: dict[tuple[Any, ...], Values] = {}
        names = _named(way)
        left = iter(wanted)
        while chunk := [*islice(left, _CHUNK // len(way.theirs))]:
            statement = _select(way.target, names, way.theirs, chunk, self._dialect)
            (result,) = await self._connection.run((statement,))
            for row in _decoded(way.target, names, result.rows, self._dialect):
                found[tuple(row[name] for name in way.theirs)] = row
        missing = {*wanted} - {*found}
        if missing:
            for row in await self._gone(way.target, names):
                key = tuple(row[name] for name in way.theirs)
                if key in missing:
                    found[key] = row
        return found

    async def _gone(self, model: Model, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what this transaction has recorded of rows before it changed them."""
        one, two = self._dialect.place(1), self._dialect.place(2)
        text = (
            f"SELECT old FROM {audit_tables(model.schema).records} WHERE leaf = {one} AND "
            f"model = {two} AND old IS NOT NULL"
        )
        statement = Statement(text, (self._leaf, model.name), returns_rows=True)
        (result,) = await self._connection.run((statement,))
        return [
            row
            for (old,) in result.rows
            for _, row in rows_of(model, old, names, self._dialect)
        ]


def _ways(model: Model, on_the_way: tuple[str, ...] = ()) -> list[_Way]:
    """Return how rows of *model* lead to persons, as far as it says."""
    said = model.privacy.paths
    around = (*on_the_way, model.name)
    return [
        _Way(
            relation.target,
            tuple(own.name for own, _ in relation.pairs),
            tuple(theirs.name for _, theirs in relation.pairs),
        )
        for relation in model.own_relations
        if relation.target.name not in around
        and (
            said is None
            or relation.name in said
            or (
                len(relation.foreign_key.fields) == 1
                and relation.foreign_key.fields[0] in said
            )
        )
        and (relation.target.privacy.is_subject or _ways(relation.target, around))
    ]


def _named(way: _Way) -> list[str]:
    """Return what must be known of a row that is referred to."""
    model = way.target
    referring = [name for each in model.foreign_keys for name in each.fields]
    return [*dict.fromkeys((*model.identity, *way.theirs, *referring))]


def _select(
    model: Model,
    names: Sequence[str],
    by: Sequence[str],
    values: Sequence[tuple[Any, ...]],
    dialect: Dialect,
) -> Statement:
    quote, types = dialect.quote, [model.field(name).type for name in by]
    encoders = [codec(each, dialect).encode for each in types]
    parameters: list[Any] = []
    tuples: list[str] = []
    for each in values:
        places: list[str] = []
        for type_, encode, value in zip(types, encoders, each, strict=True):
            parameters.append(value if encode is None else encode(value))
            place = dialect.place(len(parameters))
            if dialect is POSTGRESQL:
                place = f"{place}::{column_type(type_, dialect)}"
            places.append(place)
        tuples.append(f"({', '.join(places)})")
    table = qualified(model, dialect)
    text = (
        f"SELECT {', '.join(map(quote, names))} FROM {table} WHERE "
        f"({', '.join(map(quote, by))}) IN (VALUES {', '.join(tuples)})"
    )
    return Statement(text, parameters, returns_rows=True)


def _decoded(
    model: Model, names: Sequence[str], rows: Iterable[Sequence[Any]], dialect: Dialect
) -> Iterator[dict[str, Any]]:
    decoders: list[Callable[[Any], Any] | None] = [
        codec(model.field(name).type, dialect).decode for name in names
    ]
    for row in rows:
        yield {
            name: value if decode is None or value is None else decode(value)
            for name, decode, value in zip(names, decoders, row, strict=True)
        }
