"""Rows from a source, batch by batch into the database.

Rules of this file:

1. Two workers take turns: each reads a batch, packs it, waits until the batch before
   is stored, stores its own. So rows are packed while the database works, batches are
   stored in their order, and no more than two are held, however long the source is.
2. The source is read by one worker at a time, and no further than its batches are
   stored: that is the back-pressure.
3. What fails ends the reading. The batch before it is stored first, the one behind it
   not at all: what is stored is always a head of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any, Final, final

import anyio

from ....drivers import Connection
from ....errors import PartlyStoredError, TooManyFailuresError
from ...limits import Pace
from ._report import failures_of
from ._rows import Failure
from ._source import Source
from ._tally import Tally
from .loading import FEW, Batch, Loader

__all__ = ["Acquire", "Stream", "lend"]

Acquire = Callable[[], AbstractAsyncContextManager[Connection]]
"""Gives a connection for as long as its block lasts."""


def lend(connection: Connection) -> Acquire:
    """Return what gives *connection* again and again."""

    def acquire() -> AbstractAsyncContextManager[Connection]:
        return nullcontext(connection)

    return acquire


_WORKERS: Final = 2
"""One packs while the other waits for the database.

Batches on two connections at once were tried: of 2 000 rows they took 0.9 times as long,
of 10 000 rows 1.4 times (PostgreSQL, two cores: the server is the limit), and were no
head of the data any more.
"""


@final
class Stream:
    """Stores the rows of a source.

    Args:
        acquire: Gives a connection, for a batch or for all of them.
        source: Where the rows come from.
        loader: Stores a batch.
        owner: What errors call the node.
        pace: At which it goes on.

    Attributes:
        tally: What became of the rows.
        failures: Rows that could not be stored.
        n_rows: Rows dealt with.
    """

    def __init__(
        self,
        acquire: Acquire,
        source: Source,
        loader: Loader,
        owner: str,
        pace: Pace,
    ) -> None:
        self.tally = Tally()
        self.failures: list[Failure] = []
        self.n_rows = 0
        self._acquire = acquire
        self._source = source
        self._loader = loader
        self._owner = owner
        self._pace = pace
        self._size = loader.manner.batch_size
        self._connection: Connection | None = None
        self._reading = anyio.Lock()
        self._n_read = 0
        self._previous: anyio.Event | None = None
        self._first: Sequence[Any] | None = None
        self._error: tuple[int, Exception] | None = None

    async def run(self) -> None:
        """Store all of it, as the manner of the loader says.

        If cancelled, batches that were committed stay; the one in hand is rolled
        back, or with a single statement it is unknown whether it was done. An
        asynchronous generator is closed in the end, wherever it stands.

        Raises:
            PartlyStoredError: It stopped when batches had been committed.
            TooManyFailuresError: More rows failed than may.
            DataFlowError: What stopped it; nothing is stored.
        """
        async with aclosing(self._source):
            await self._run()

    async def _run(self) -> None:
        self._first = await self._source.take(self._size)
        is_short = len(self._first) < self._size or await self._source.is_over()
        if not self._first:
            return
        if is_short:
            await self._run_one()
        elif self._loader.manner.atomic:
            await self._run_together()
        else:
            await self._run_each()
            if self._error is not None:
                raise self._stopped(self._error[1])

    async def _run_one(self) -> None:
        """Store the only batch; it needs no task but this one."""
        batch = self._next(self._first or ())
        async with self._acquire() as connection:
            await self._survey(connection)
            if self._loader.manner.max_errors is None:
                await self._loader.put(connection, batch)
                self._count(batch)
                return
            async with connection.transaction():
                await self._loader.put(connection, batch, is_inside=True)
                self._count(batch)
                self._check_failures(stored=0)

    async def _run_together(self) -> None:
        """Store every batch in one transaction."""
        async with self._acquire() as connection, connection.transaction():
            self._connection = connection
            await self._run_each()
            if self._error is not None:
                raise self._error[1]

    async def _run_each(self) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(_WORKERS):
                tasks.start_soon(self._work)

    async def _work(self) -> None:
        """Read, pack and store batches until there are no more."""
        while True:
            async with self._reading:
                await self._pace.go_on()
                start = self._n_read
                try:
                    batch = await self._read()
                except Exception as error:  # noqa: BLE001  the source's; `run` raises it
                    self._fail(start, error)
                    return
                before, after = self._previous, anyio.Event()
                self._previous = after
            if batch is None:
                return
            try:
                await self._pace.go_on()
                if self._loader.is_known:
                    await self._loader.prepare(batch)
                if before is not None:
                    await before.wait()
                if self._error is not None and self._error[0] < batch.start:
                    return
                await self._pace.go_on()
                await self._store(batch)
            except Exception as error:  # noqa: BLE001  `run` raises it
                self._fail(batch.start, error)
            finally:
                after.set()

    async def _read(self) -> Batch | None:
        if self._error is not None:
            return None
        rows, self._first = self._first, None
        if rows is None:
            rows = await self._source.take(self._pace.at_once(self._size, FEW))
        return self._next(rows) if rows else None

    def _next(self, rows: Sequence[Any]) -> Batch:
        batch = Batch(self._n_read, rows)
        self._n_read += len(rows)
        return batch

    async def _store(self, batch: Batch) -> None:
        if self._connection is not None:
            await self._survey(self._connection)
            await self._loader.put(self._connection, batch, is_inside=True)
            self._count(batch)
            self._check_failures(stored=0)
            return
        async with self._acquire() as connection:
            await self._survey(connection)
            await self._loader.put(connection, batch)
        self._count(batch)
        self._check_failures(stored=self.tally.inserted + self.tally.updated)

    async def _survey(self, connection: Connection) -> None:
        if not self._loader.is_known:
            await self._loader.survey(connection, self._n_read)

    def _count(self, batch: Batch) -> None:
        self._loader.table.touched(batch.tally.inserted + batch.tally.updated)
        self.tally += batch.tally
        self.failures += batch.failures
        self.n_rows = batch.end

    def _check_failures(self, stored: int) -> None:
        limit = self._loader.manner.max_errors
        if limit is not None and len(self.failures) > limit:
            errors = failures_of(self.failures)
            raise TooManyFailuresError(self._owner, limit, stored, errors)

    def _fail(self, start: int, error: Exception) -> None:
        """Note what went wrong; of two errors the one nearer to the head."""
        if self._error is None or start < self._error[0]:
            self._error = start, error

    def _stopped(self, error: Exception) -> Exception:
        """Return what to raise, now that batches before may be committed."""
        if not self.n_rows or isinstance(error, TooManyFailuresError):
            return error
        stored = self.tally.inserted + self.tally.updated
        stopped = PartlyStoredError(self._owner, self.n_rows, stored, error)
        stopped.__cause__ = error
        return stopped
