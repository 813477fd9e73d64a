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
from ...sql import POSTGRESQL, Dialect, Statement, clear, related_rows
from ._guarded_connection import GuardedConnection
from ._options import as_list, came

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
_ISOLATED: Final = clear(
    Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
)

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
    connection: Connection, dialect: Dialect, work: Callable[[], Awaitable[T]]
) -> T:
    """Await *work*, which reads, while nothing it sees changes.

    Once more if a table was changed after a statement was prepared: it only reads.
    """
    try:
        return await isolated(connection, dialect, work)
    except TransactionConflictError:
        return await isolated(connection, dialect, work)


async def isolated(
    connection: Connection, dialect: Dialect, work: Callable[[], Awaitable[T]]
) -> T:
    """Await *work* likewise, but once."""
    async with connection.transaction():
        if dialect is POSTGRESQL:
            await connection.run((_ISOLATED,))
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
    is_one = len(relation.pairs) == 1
    # What holds None refers to nothing.
    wanted = [
        key
        for key in dict.fromkeys(keys)
        if key is not None and (is_one or None not in key)
    ]
    statements, found = related_rows(relation, dialect), list[tuple[Any, Record]]()
    for start in range(0, len(wanted), statements.max_keys):
        part = wanted[start : start + statements.max_keys]
        columns = [part] if is_one else [*zip(*part, strict=True)]
        if isinstance(connection, GuardedConnection):
            statement = connection.related(relation, statements, columns)
        else:
            statement = statements.select(columns)
        (result,) = await connection.run((statement,))
        found += [(part[place], row) for place, row in result.rows]
    put = _put_lists if relation.is_many else _put_rows
    put(relation.name, zip(records, keys, strict=True), found)
    return [row for _, row in found]


Keyed = Iterable[tuple[Record, Any]]
"""Records, each with the key of what is related to it."""

Found = Iterable[tuple[Any, Record]]
"""Related rows, each behind its key."""


def _put_rows(name: str, records: Keyed, found: Found) -> None:
    by_key = dict(found)
    for record, key in records:
        record[name] = by_key.get(key)


def _put_lists(name: str, records: Keyed, found: Found) -> None:
    by_key: dict[Any, list[Record]] = {}
    for key, row in found:
        by_key.setdefault(key, []).append(row)
    for record, key in records:
        record[name] = by_key.get(key) or []
