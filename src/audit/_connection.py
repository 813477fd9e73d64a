"""A connection on which every transaction that changes something leaves a leaf.

Rules of this file:

1. What changes is written down by triggers, or counted; here it becomes records, it is
   said who did it, and the leaf is chained, before the same transaction commits. There is no time at which
   one is there without the other.
2. The head of a chain is locked last, just before the commit: transactions on one model
   wait for each other only there, and nothing is locked behind it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, cast, final
from uuid import uuid4

from ..drivers import Connection, Inside, LentConnection, Workplace
from ..errors import ConnectionLostError, DriverError
from ..models import Model
from ..sql import POSTGRESQL, Dialect, Result, Statement
from ._facts import Facts
from .proving import Leaf, digest_text, events_of
from .recording import LEAF_SETTING, RECORDS, audit_tables, audited_buffer, seals
from .sealing import MasterKeys, seal

__all__ = ["AuditedConnection"]

_TOTAL: Final = Statement("SELECT total_changes()", returns_rows=True)
_LAST: Final = Statement(
    f"SELECT coalesce(max(id), 0) FROM {RECORDS}", returns_rows=True
)

_KEPT: Final = 1024
"""Schemas of which the text is kept."""


@lru_cache(_KEPT)
def _told_text(schema: str | None) -> str:
    """Ask what was recorded under a leaf, and the head of the chain; unname the leaf."""
    tables = audit_tables(schema)
    return (
        f"WITH told AS MATERIALIZED ({digest_text('$1', tables)}), head AS MATERIALIZED "
        f"(SELECT seq, hash FROM {tables.heads} WHERE lane = $2 AND (SELECT n_events FROM "
        "told) > 0 FOR UPDATE) SELECT n_events, events, seq, hash, "
        f"set_config('{LEAF_SETTING}', '', true) FROM told LEFT JOIN head ON true"
    )


@final
class AuditedConnection(LentConnection):
    """Runs statements of one message, or of several that share their facts.

    Args:
        connection: Where.
        dialect: Of that.
        model: What changes.
        facts: Who changes it.
        key: Makes the hashes of leaves HMACs; None for plain ones.
        masters: With what personal values are sealed; None leaves them out.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        model: Model,
        facts: Facts,
        key: bytes | None,
        *,
        masters: MasterKeys | None = None,
    ) -> None:
        super().__init__(connection)
        self._dialect = dialect
        self._model = model
        self._tables = audit_tables(model.schema)
        self._facts = facts
        self._key = key
        self._masters = masters
        self._is_open = False
        # SQLite has no triggers for statements: there the summary is counted.
        self._counts = model.audit == "summary" and dialect is not POSTGRESQL
        self._n_undone = 0
        # Of related models too: a deletion may cascade.
        buffers = [audited_buffer(each, dialect) for each in model.connected]
        self._buffers = [each for each in buffers if each is not None]
        self._looks = [each.look() for each in self._buffers]
        self._sealed = {each.name: each for each in model.connected if seals(each)}

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing, and record what they change."""
        if self._is_open or all(each.is_read for each in statements):
            return await self._connection.run(statements)
        place = self._connection
        if isinstance(place, Workplace) and place.takes_work:
            return await place.run_work(partial(self._run_inside, statements))
        async with self._audited():
            return await self._connection.run(statements)

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, in one transaction."""
        place = self._connection
        if isinstance(place, Workplace) and place.takes_work:
            return await place.run_work(partial(self._run_apart_inside, groups))
        outcomes: list[list[Result] | DriverError] = []
        async with self._audited():
            for group in groups:
                try:
                    async with self._savepoint():
                        outcomes.append(await self._connection.run(group))
                except ConnectionLostError:
                    raise
                except DriverError as error:
                    outcomes.append(error)
        return outcomes

    async def _run_inside(
        self, statements: Sequence[Statement], inside: Inside
    ) -> list[Result]:
        with self._moved(inside):
            leaf, self._n_undone = uuid4().hex, 0
            before = await self._open(leaf)
            results = await inside.run(statements)
            await self._chain(leaf, before)
        return results

    async def _run_apart_inside(
        self, groups: Sequence[Sequence[Statement]], inside: Inside
    ) -> list[list[Result] | DriverError]:
        outcomes: list[list[Result] | DriverError] = []
        with self._moved(inside):
            leaf, self._n_undone = uuid4().hex, 0
            before = await self._open(leaf)
            for group in groups:
                total = await self._total()
                outcomes.append(await inside.run_apart(group))
                if isinstance(outcomes[-1], DriverError):
                    # What was undone counts as changes all the same.
                    self._n_undone += await self._total() - total
            await self._chain(leaf, before)
        return outcomes

    @contextmanager
    def _moved(self, inside: Inside) -> Generator[None]:
        """Work where the connection is: all of it takes one hop there and back.

        Nobody else uses this meanwhile, and what is cancelled has ended there before.
        """
        place = self._connection
        # What records and chains asks for nothing else than `run`.
        self._connection = cast("Connection", inside)
        try:
            yield
        finally:
            self._connection = place

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end; the leaf is written before."""
        return self._savepoint() if self._is_open else self._audited()

    @asynccontextmanager
    async def _audited(self) -> AsyncGenerator[None]:
        async with self._connection.transaction():
            leaf, self._n_undone = uuid4().hex, 0
            before = await self._open(leaf)
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
            await self._chain(leaf, before)

    @asynccontextmanager
    async def _savepoint(self) -> AsyncGenerator[None]:
        if not self._counts:
            async with self._connection.transaction():
                yield
            return
        before = await self._total()
        try:
            async with self._connection.transaction():
                yield
        except DriverError:
            # What was undone counts as changes all the same.
            self._n_undone += await self._total() - before
            raise

    async def _total(self) -> int:
        if not self._counts:
            return 0
        (result,) = await self._connection.run((_TOTAL,))
        return int(result.rows[0][0])

    async def _open(self, leaf: str) -> int:
        """Say which leaf is being written; return how much was changed before it."""
        if self._dialect is POSTGRESQL:
            text = f"SELECT set_config('{LEAF_SETTING}', $1, true)"
            await self._connection.run((Statement(text, (leaf,), returns_rows=True),))
            return 0
        if self._buffers:
            # What waits came from outside.
            *looked, last = await self._connection.run((*self._looks, _LAST))
            await self._fold(looked, None, last)
        return await self._total()

    # -- the leaf ---------------------------------------------------------------

    async def _chain(self, leaf: str, before: int) -> None:
        """Write the leaf, unless nothing changed, and make it the head."""
        if self._dialect is POSTGRESQL:
            await self._seal(leaf)
            n_events, events, head = await self._told(leaf)
        else:
            n_events, events, head = await self._gathered(leaf, before)
        if not n_events:
            return
        if head is None:
            head = await self._begin_chain()
        seq, previous = head
        made = Leaf(
            self._model.name,
            seq + 1,
            leaf,
            datetime.now(UTC).isoformat(timespec="microseconds"),
            self._facts.text(),
            n_events,
            events,
            previous,
        )
        await self._connection.run(self._written(made))

    def _written(self, made: Leaf) -> list[Statement]:
        """Return what stores a leaf and moves the head to it."""
        dialect, hash_ = self._dialect, made.hash(self._key)
        heads = self._tables.heads
        values = (*(getattr(made, name) for name in made.__struct_fields__), hash_)
        places = [dialect.place(n + 1) for n in range(len(values))]
        store = f"INSERT INTO {self._tables.leaves} VALUES ({', '.join(places)})"
        if dialect is POSTGRESQL:  # one message to the server and back
            text = (
                f"WITH leaf AS ({store} RETURNING lane, seq, hash) UPDATE {heads} AS h "
                "SET seq = leaf.seq, hash = leaf.hash FROM leaf WHERE h.lane = leaf.lane"
            )
            return [Statement(text, values)]
        one, two, three = (dialect.place(n) for n in (1, 2, 3))
        move = f"UPDATE {heads} SET seq = {one}, hash = {two} WHERE lane = {three}"
        return [Statement(store, values), Statement(move, (made.seq, hash_, made.lane))]

    async def _told(self, leaf: str) -> tuple[int, str, tuple[int, str] | None]:
        """Return what PostgreSQL says of the records, and the head, which it locks."""
        statement = Statement(
            _told_text(self._model.schema), (leaf, self._model.name), returns_rows=True
        )
        (told,) = await self._connection.run((statement,))
        n_events, events, seq, previous, _ = told.rows[0]
        return n_events, events, None if seq is None else (seq, previous)

    async def _gathered(
        self, leaf: str, before: int
    ) -> tuple[int, str, tuple[int, str] | None]:
        """Make records of what SQLite noted; return what `_told` does."""
        *looked, last, found = await self._connection.run(
            (*self._looks, _LAST, self._head())
        )
        n_rows = await self._total() - before - self._n_undone
        # Those of other models are counted twice: in their tables, and in the buffers.
        n_rows -= 2 * sum(each.rows[0][0] for each in looked)
        is_folded = await self._fold(looked, leaf, last)
        is_folded |= await self._count(leaf, n_rows)
        if not is_folded:
            return 0, "", None
        await self._seal(leaf)
        n_events, events = await events_of(
            self._connection, self._dialect, self._tables, leaf
        )
        head = tuple(found.rows[0]) if found.rows else None
        return n_events, events, cast("tuple[int, str] | None", head)

    async def _fold(
        self, looked: Sequence[Result], leaf: str | None, last: Result
    ) -> bool:
        """Make records of what is in the buffers; return whether there was anything."""
        statements: list[Statement] = []
        at = int(last.rows[0][0])
        for buffer, result in zip(self._buffers, looked, strict=True):
            if result.rows[0][0]:
                is_sealed = leaf is not None and self._masters is not None
                statements += buffer.fold(result, leaf, at, is_sealed=is_sealed)
                at += buffer.n_records(result)
        if statements:
            await self._connection.run(statements)
        return bool(statements)

    async def _seal(self, leaf: str) -> None:
        """Seal what is personal in the records; those of SQLite may have nothing."""
        is_needed = self._dialect is POSTGRESQL or self._masters is not None
        if self._sealed and is_needed:
            await seal(
                self._connection, self._dialect, self._sealed, leaf, self._masters
            )

    async def _count(self, leaf: str, n_rows: int) -> bool:
        if not self._counts or n_rows <= 0:
            return False
        text = f"INSERT INTO {RECORDS} (leaf, model, op, n) VALUES (?1, ?2, ?3, ?4)"
        facts = (leaf, self._model.name, self._facts.operation, n_rows)
        await self._connection.run((Statement(text, facts),))
        return True

    async def _begin_chain(self) -> tuple[int, str]:
        one = self._dialect.place(1)
        text = (
            f"INSERT INTO {self._tables.heads} VALUES ({one}, 0, '') "
            "ON CONFLICT (lane) DO NOTHING"
        )
        begin = Statement(text, (self._model.name,))
        _, head = await self._connection.run((begin, self._head()))
        seq, previous = head.rows[0]
        return seq, previous

    def _head(self) -> Statement:
        lock = " FOR UPDATE" if self._dialect is POSTGRESQL else ""
        text = (
            f"SELECT seq, hash FROM {self._tables.heads} "
            f"WHERE lane = {self._dialect.place(1)}{lock}"
        )
        return Statement(text, (self._model.name,), returns_rows=True)
