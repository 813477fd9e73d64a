"""Related rows that come with the rows a node replies with.

Rules of this file

1. A relation costs one statement for all rows, not one for each: their keys are
   collected, and the related rows asked for together, `MAX_KEYS` keys at a time.
2. Rows and related rows are of one moment: on both databases they are read in one
   transaction that sees no change in between.
3. A related row that several rows share is one dict in all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, TypeVar

import msgspec

from ...drivers import Connection
from ...errors import FieldValueError, TransactionConflictError, UnknownFieldError
from ...models import Model, Relation
from ...sql import Dialect, RelatedRows, related_rows
from .guards import GuardedConnection
from .parameters import as_list, came

__all__ = [
    "Include",
    "in_one_snapshot",
    "isolated",
    "key_names",
    "load",
    "read_include",
]

MAX_RELATIONS: Final = 32
"""Relations one request may include."""

MAX_HOPS: Final = 8
"""Relations one path may follow."""

_EXPECTED: Final = "a list of relations, such as ['customer', 'items.product']"

T = TypeVar("T")
Record = dict[str, Any]


class Include(msgspec.Struct, frozen=True, eq=False):
    """A relation that is wanted, and what is wanted of the rows behind it."""

    relation: Relation
    inner: tuple[Include, ...] = ()

    @property
    def models(self) -> Iterator[Model]:
        """The models whose rows it reads."""
        yield self.relation.target
        for each in self.inner:
            yield from each.models


def read_include(model: Model, given: object, owner: str) -> tuple[Include, ...]:
    """Return what the parameter ``include`` asks for.

    Args:
        model: Whose rows the related ones come with.
        given: Names of relations, with dots between those that follow each other.
        owner: What errors call the node.

    Raises:
        UnknownFieldError: No such relation; the nearest name is told.
        FieldValueError: No list of names, or too many.
    """
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else as_list(given)
    if names is None:
        raise FieldValueError(owner, "include", came(given), _EXPECTED)
    wanted: dict[str, Any] = {}
    for name in names:
        if not isinstance(name, str):
            raise FieldValueError(owner, "include", f"{came(name)} in it", _EXPECTED)
        _add(wanted, [step.strip() for step in name.split(".")], owner)
    found = _resolved(model, wanted, f"{owner}.include")
    if sum(1 for include in found for _ in include.models) > MAX_RELATIONS:
        expected = f"at most {MAX_RELATIONS} relations"
        raise FieldValueError(owner, "include", "more", expected)
    return found


def _add(wanted: dict[str, Any], steps: Sequence[str], owner: str) -> None:
    if len(steps) > MAX_HOPS:
        expected = f"paths of at most {MAX_HOPS} relations"
        raise FieldValueError(owner, "include", "a longer one", expected)
    for step in steps:
        wanted = wanted.setdefault(step, {})


def _resolved(model: Model, wanted: dict[str, Any], where: str) -> tuple[Include, ...]:
    relations = model.relations
    found: list[Include] = []
    for name, inner in wanted.items():
        relation = relations.get(name)
        if relation is None:
            raise UnknownFieldError(where, name, tuple(relations))
        found_inside = _resolved(relation.target, inner, f"{where}.{name}")
        found.append(Include(relation, found_inside))
    return tuple(found)


def key_names(include: Sequence[Include]) -> Iterator[str]:
    """Yield the fields without which the related rows cannot be found."""
    for each in include:
        for own, _ in each.relation.pairs:
            yield own.name


async def in_one_snapshot(
    connection: Connection, work: Callable[[], Awaitable[T]]
) -> T:
    """Await *work*, which reads, while nothing it sees changes.

    Once more if a table was changed after a statement was prepared: it only reads.
    """
    try:
        return await isolated(connection, work)
    except TransactionConflictError:
        return await isolated(connection, work)


async def isolated(connection: Connection, work: Callable[[], Awaitable[T]]) -> T:
    """Await *work* likewise, but once."""
    async with connection.snapshot():
        return await work()


async def load(
    connection: Connection,
    dialect: Dialect,
    records: Sequence[Record],
    include: Sequence[Include],
) -> None:
    """Put related rows into *records*: one or None, or a list ordered by key."""
    for each in include:
        rows = await _load(connection, dialect, records, each.relation)
        if rows and each.inner:
            await load(connection, dialect, rows, each.inner)


async def _load(
    connection: Connection,
    dialect: Dialect,
    records: Sequence[Record],
    relation: Relation,
) -> list[Record]:
    """Put the rows of *relation* into *records*, and return them, each once."""
    pick = itemgetter(*(own.name for own, _ in relation.pairs))
    keys = [*map(pick, records)]
    wanted = _wanted(keys, is_one=len(relation.pairs) == 1)
    statements = related_rows(relation, dialect)
    found: list[Any] = []
    rows: list[Record] = []
    for start in range(0, len(wanted), statements.max_keys):
        part = wanted[start : start + statements.max_keys]
        if statements.is_exact and not isinstance(connection, GuardedConnection):
            (result,) = await connection.run((statements.select_alone(part),))
            found += map(itemgetter(relation.pairs[0][1].name), result.rows)
            rows += result.rows
            continue
        placed = await _placed(connection, relation, statements, part)
        found += [part[place] for place, _ in placed]
        rows += [row for _, row in placed]
    put = _put_lists if relation.is_many else _put_rows
    put(relation.name, records, keys, zip(found, rows, strict=True))
    return rows


def _wanted(keys: Sequence[Any], *, is_one: bool) -> list[Any]:
    """Return each key once; what holds None refers to nothing."""
    distinct = dict.fromkeys(keys)
    distinct.pop(None, None)
    return [*distinct] if is_one else [key for key in distinct if None not in key]


async def _placed(
    connection: Connection,
    relation: Relation,
    statements: RelatedRows,
    keys: Sequence[Any],
) -> Sequence[tuple[int, Record]]:
    """Read the rows of *keys*, each behind the place of its key."""
    is_one = len(relation.pairs) == 1
    columns = [keys] if is_one else [*zip(*keys, strict=True)]
    if isinstance(connection, GuardedConnection):
        statement = connection.related(relation, statements, columns)
    else:
        statement = statements.select(columns)
    (result,) = await connection.run((statement,))
    return result.rows


Found = Iterable[tuple[Any, Record]]
"""Related rows, each behind its key."""


def _put_rows(
    name: str, records: Sequence[Record], keys: Sequence[Any], found: Found
) -> None:
    by_key = dict(found)
    for record, row in zip(records, map(by_key.get, keys), strict=True):
        record[name] = row


def _put_lists(
    name: str, records: Sequence[Record], keys: Sequence[Any], found: Found
) -> None:
    by_key: dict[Any, list[Record]] = {}
    for key, row in found:
        by_key.setdefault(key, []).append(row)
    for record, key in zip(records, keys, strict=True):
        record[name] = by_key.get(key) or []
