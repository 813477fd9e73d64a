"""A connection on which every transaction that changes something leaves a leaf.

Rules of this file:

1. What changes is written down by triggers, or counted; here it is said who did it, and
   the leaf is chained, before the same transaction commits. There is no time at which
   one is there without the other.
2. The head of a chain is locked last, just before the commit: transactions on one model
   wait for each other only there, and nothing is locked behind it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal, final
from uuid import uuid4

from ..drivers import Connection, DatabaseUrl, Driver, PoolStatistics, RowStream
from ..errors import ConnectionLostError, DriverError
from ..models import Model
from ..sql import POSTGRESQL, Dialect, Result, Statement
from ._chain import Leaf, digest_of, events_statement
from ._facts import Facts
from ._tables import EVENTS, HEADS, LEAF_SETTING, LEAVES, NOW

__all__ = ["AuditedConnection", "AuditedDriver"]

_TOTAL: Final = Statement("SELECT total_changes()", returns_rows=True)


@final
class AuditedConnection:
    """Runs statements of one message, or of several that share their facts.

    Args:
        connection: Where.
        dialect: Of that.
        model: What changes.
        facts: Who changes it.
        key: Makes the hashes of leaves HMACs; None for plain ones.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        model: Model,
        facts: Facts,
        key: bytes | None,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._model = model
        self._facts = facts
        self._key = key
        self._is_open = False
        # SQLite has no triggers for statements: there the summary is counted.
        self._counts = model.audit == "summary" and dialect is not POSTGRESQL
        self._n_undone = 0

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing, and record what they change."""
        if self._is_open:
            return await self._connection.run(statements)
        async with self._audited():
            return await self._connection.run(statements)

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, in one transaction."""
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

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end; the leaf is written before."""
        return self._savepoint() if self._is_open else self._audited()

    def snapshot(
        self, *, opening: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Return a block that only reads: there is nothing to write down."""
        return self._connection.snapshot(opening=opening)

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows."""
        return self._connection.stream(statement, batch=batch, snapshot=snapshot)

    @asynccontextmanager
    async def _audited(self) -> AsyncGenerator[None]:
        async with self._connection.transaction():
            leaf, self._n_undone = uuid4().hex, 0
            before = await self._total()
            await self._connection.run((self._naming(leaf),))
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
            if self._counts:
                await self._count(leaf, await self._total() - before - self._n_undone)
            await self._chain(leaf)

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

    def _naming(self, leaf: str | None) -> Statement:
        """Return what tells the triggers which leaf is being written."""
        if self._dialect is POSTGRESQL:
            text = f"SELECT set_config('{LEAF_SETTING}', $1, true)"
            return Statement(text, (leaf or "",), returns_rows=True)
        return Statement(f"UPDATE {NOW} SET leaf = ?1", (leaf,))

    async def _count(self, leaf: str, n_rows: int) -> None:
        # One of the changes is that of the name of the leaf.
        if n_rows > 1:
            text = f"INSERT INTO {EVENTS} (leaf, model, op, n) VALUES (?1, ?2, ?3, ?4)"
            facts = (leaf, self._model.name, self._facts.operation, n_rows - 1)
            await self._connection.run((Statement(text, facts),))

    async def _chain(self, leaf: str) -> None:
        """Write the leaf, unless nothing changed, and make it the head."""
        run, dialect, lane = self._connection.run, self._dialect, self._model.name
        told, _ = await run((events_statement(leaf, dialect), self._naming(None)))
        n_events, events = told.rows[0]
        if not n_events:
            return
        one, two, three = (dialect.place(n) for n in (1, 2, 3))
        lock = " FOR UPDATE" if dialect is POSTGRESQL else ""
        look = f"SELECT seq, hash FROM {HEADS} WHERE lane = {one}{lock}"
        begin = (
            f"INSERT INTO {HEADS} VALUES ({one}, 0, '') ON CONFLICT (lane) DO NOTHING"
        )
        looking = Statement(look, (lane,), returns_rows=True)
        (head,) = await run((looking,))
        if not head.rows:
            _, head = await run((Statement(begin, (lane,)), looking))
        seq, previous = head.rows[0]
        made = Leaf(
            lane,
            seq + 1,
            leaf,
            datetime.now(UTC).isoformat(timespec="microseconds"),
            self._facts.text(),
            n_events,
            digest_of(events, dialect),
            previous,
        )
        values = (
            *(getattr(made, name) for name in made.__struct_fields__),
            made.hash(self._key),
        )
        places = ", ".join(dialect.place(n + 1) for n in range(len(values)))
        move = f"UPDATE {HEADS} SET seq = {one}, hash = {two} WHERE lane = {three}"
        await run(
            (
                Statement(f"INSERT INTO {LEAVES} VALUES ({places})", values),
                Statement(move, (made.seq, values[-1], lane)),
            )
        )


@final
class AuditedDriver:
    """The connections to a database, each of them audited.

    Args:
        driver: They.
        model: What changes.
        facts: Who changes it.
        key: See `AuditedConnection`.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset()

    def __init__(
        self, driver: Driver, model: Model, facts: Facts, key: bytes | None
    ) -> None:
        self._driver = driver
        self._model = model
        self._facts = facts
        self._key = key

    @property
    def url(self) -> DatabaseUrl:
        """Where the database is."""
        return self._driver.url

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._driver.dialect

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield AuditedConnection(
                connection, self.dialect, self._model, self._facts, self._key
            )

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return self._driver.capacity(write=write)

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return self._driver.statistics()

    async def aclose(self) -> None:
        """Do nothing: the connections belong to somebody else."""
