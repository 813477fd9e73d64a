"""SQLite, through aiosqlite: one writer, several readers, each with a thread.

A `run` is one hop to the connection's thread and back, whatever it holds: the hop
costs ten times the statement. What is briefer than the hop needs none, see
`_shortcut`. aiosqlite's own methods hop for each step, so the
functions of `SqliteThread` go through its private `_execute`, the only way. Its
thread is made a daemon, lest a connection that nobody closed keeps the process alive.

Nobody but the writer writes: readers are ``query_only``. A database in memory has one
connection for both.

The journal is WAL with ``synchronous=NORMAL``: after a power cut the database is
intact but may lack the last commits; a crash of the process loses nothing.
Source: sqlite.org/pragma.html#pragma_synchronous.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar, final

import anyio

from ...errors import DatabaseUnreachableError, DriverError
from ...sql import SQLITE, Dialect, Result, Statement
from .._bridge import GRACE_S, Bridge
from .._pool import Lease, Pool, PoolStatistics, Sharing
from .._refusals import sqlite_refusal
from .._session import Cursor, Decode, Row, Session
from .._url import DatabaseUrl
from .._workplace import Work
from ._journal import Journal
from ._thread import SqliteThread

__all__ = ["SqliteDriver"]

T = TypeVar("T")

OLDEST: Final = (3, 35)
"""Version of SQLite that brought RETURNING. Source: sqlite.org/changes.html."""

READERS: Final = 4
"""Readers at most: they share the interpreter's lock, so more gain nothing.

Measured on two cores, 20 tasks with short reads: one reader 25 k/s, two 27 k/s, three
31 k/s, four 29 k/s. A long read keeps one of them from the short ones.
"""

BUSY_TIMEOUT_S: Final = 5.0
"""Seconds to wait for the lock of another process; `timeout` in the URL changes it."""

FEW: Final = 32
"""Rows in a piece of work that takes no longer than a hop: 100 us."""

_LOOK_EVERY_S: Final = 0.001
"""Seconds between two looks at a thread that is about to end."""

_INTERRUPT_EVERY_S: Final = 0.01
"""Seconds between two interrupts of a statement that is to be stopped."""


class _Client(Protocol):
    """As much of `aiosqlite.Connection` as is used, see the top of the file."""

    _thread: Thread

    async def _execute(self, fn: Callable[..., T], *args: object) -> T: ...

    async def close(self) -> None: ...

    def stop(self) -> object: ...

    def __await__(self) -> Generator[Any, None, object]: ...


@final
class SqliteDriver:
    """The connections to one SQLite database.

    Args:
        url: Where it is.
        bridge: Runs aiosqlite.
        pool_size: Readers there may be, though never more than `READERS`.
        echo: Whether to report each statement.
        sharing: How tasks that wait for a connection take turns.

    Raises:
        DriverError: The SQLite library is older than 3.35.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset({"asyncio"})
    dialect: Dialect = SQLITE

    def __init__(
        self,
        url: DatabaseUrl,
        bridge: Bridge,
        *,
        pool_size: int,
        echo: bool,
        sharing: Sharing | None = None,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            msg = f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed"
            raise DriverError(msg)
        self.url = url
        self._bridge = bridge
        self._echo = echo
        self._journal = None if url.is_memory else Journal(url.database)
        name = f"the pool of {url.safe}"
        self._writer = Pool(name, 1, self._connect_writer, sharing)
        self._readers = (
            self._writer
            if url.is_memory
            else Pool(name, min(pool_size, READERS), self._connect_reader, sharing)
        )

    def acquire(self, *, write: bool = True) -> Lease[SqliteConnection]:
        """Lease the writer, or with ``write=False`` a reader.

        A task that holds the writer must not ask for it again: it would wait for
        itself.
        """
        return (self._writer if write else self._readers).lease()

    def capacity(self, *, write: bool = True) -> int:
        """Return 1 for the writer, or the number of readers."""
        return (self._writer if write else self._readers).size

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment, writer and readers together."""
        writer, readers = self._writer.statistics(), self._readers.statistics()
        if self._writer is self._readers:
            return writer
        return PoolStatistics(
            open=writer.open + readers.open,
            idle=writer.idle + readers.idle,
            in_use=writer.in_use + readers.in_use,
            waiting=writer.waiting + readers.waiting,
            size=writer.size + readers.size,
        )

    async def aclose(self) -> None:
        """Close every connection, each pool within `GRACE_S`; see `Pool.aclose`."""
        await self._readers.aclose()
        await self._writer.aclose()
        # Behind the writer, which looks at the journal with its last commit.
        if self._journal is not None:
            with anyio.move_on_after(GRACE_S, shield=True):
                self._journal.close()
                while self._journal.is_alive:  # noqa: ASYNC110  # it has no event
                    await anyio.sleep(_LOOK_EVERY_S)

    async def _connect_writer(self) -> SqliteConnection:
        return await self._connect(is_reader=False)

    async def _connect_reader(self) -> SqliteConnection:
        return await self._connect(is_reader=True)

    async def _connect(self, *, is_reader: bool) -> SqliteConnection:
        thread = SqliteThread(
            self.url.database,
            is_reader=is_reader,
            timeout=float(self.url.options.get("timeout", BUSY_TIMEOUT_S)),
            timed=self._echo,
            journal=None if is_reader else self._journal,
        )
        client = _make_client(thread)
        try:
            await self._bridge.call(_open, client)
        except BaseException as error:
            thread.abandon()
            with anyio.move_on_after(GRACE_S, shield=True):
                await _see_end(client)
            if isinstance(error, DatabaseUnreachableError):
                raise _unreachable(self.url.database, error) from error.__cause__
            raise
        connection = SqliteConnection(client, thread, self._bridge, echo=self._echo)
        if self.url.options.get("shortcut") == "off":
            connection.may_shorten = False
        return connection


def _make_client(thread: SqliteThread) -> _Client:
    import aiosqlite  # noqa: PLC0415

    client = aiosqlite.Connection(thread.open, iter_chunk_size=1)
    client._thread.daemon = True  # noqa: SLF001  # see the top of the file
    return client


async def _open(client: _Client) -> None:
    await client


async def _see_end(client: _Client) -> None:
    """Wait for a thread that was told to stop, which aiosqlite does not.

    It speaks to the event loop to the last, so the loop must not close before.
    """
    while client._thread.is_alive():  # noqa: SLF001, ASYNC110  # it has no event
        await anyio.sleep(_LOOK_EVERY_S)


def _unreachable(path: str, error: DriverError) -> DatabaseUnreachableError:
    folder = Path(path).absolute().parent
    reason = error.message
    if not folder.is_dir():
        reason = f"the folder {folder} does not exist, make it first"
    return DatabaseUnreachableError(f"cannot open {path}: {reason}", error.code)


@final
class SqliteConnection(Session):
    """One connection; what it does is described in `Session`.

    Attributes:
        may_shorten: Whether brief statements may run on the event loop's thread.
    """

    def __init__(
        self, client: _Client, thread: SqliteThread, bridge: Bridge, *, echo: bool
    ) -> None:
        super().__init__(bridge, echo=echo)
        self._client = client
        self._thread = thread
        self._is_closed = False
        self.may_shorten = not echo

    @property
    def is_closed(self) -> bool:
        """Whether the connection was closed or cut."""
        return self._is_closed

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open, neither ours nor one in raw SQL."""
        return not (self._depth or self._is_closed or self._thread.in_transaction)

    @property
    def _is_in_transaction(self) -> bool:
        return self._thread.in_transaction

    async def aclose(self) -> None:
        """Close the database and end the thread."""
        if not self._is_closed:
            self._is_closed = True
            await self._bridge.call(self._client.close)
        await _see_end(self._client)

    def terminate(self) -> None:
        """Stop what runs, and leave it to the thread to close the database."""
        if not self._is_closed:
            self._is_closed = True
            self._thread.stop = True
            self._thread.interrupt()
            self._client.stop()

    # -- statements -------------------------------------------------------------

    async def _run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        if self.may_shorten:
            results = self._run_here(statements)
            if results is not None:
                return results
        results = await self._hop(self._thread.run_alone, statements)
        self._report_run()
        return results

    def _run_here(self, statements: Sequence[Statement]) -> list[Result] | None:
        """Run what is briefer than a hop without one; None for anything else."""
        if len(statements) == 1:
            statement = statements[0]
            if statement.many:
                is_few = statement.is_brief and len(statement.parameters) <= FEW
                return self._thread.run_joined_here(statements) if is_few else None
            if statement.is_brief or statement.may_be_brief:
                return self._thread.run_here(statement)
            return None
        if statements and _are_brief((statements,)) and _executions(statements) <= FEW:
            return self._thread.run_joined_here(statements)
        return None

    async def _run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        if self.may_shorten and _are_brief(groups):
            outcomes = self._thread.run_apart_here(groups)
            if outcomes is not None:
                return outcomes
        outcomes = await self._hop(self._thread.run_apart, groups)
        self._report_run()
        return outcomes

    async def _run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        results = await self._hop(self._thread.run_joined, statements)
        self._report_run()
        return results

    async def run_work(self, work: Work[T]) -> T:
        """Do *work* in one transaction, in one hop; see `Workplace`.

        Not inside a transaction.
        """
        if self._own_stream is not None:
            await self._own_stream.supersede()
        made = await self._hop(lambda: self._thread.run_work(work))
        self._report_run()
        return made

    @property
    def takes_work(self) -> bool:
        """Whether no transaction is open that the work would be part of."""
        return not self._depth

    def _report_run(self) -> None:
        """Report what the thread has run since this was last called."""
        for statement, seconds, count in self._thread.ran:
            self._report(statement, seconds, count)
        self._thread.ran.clear()

    async def _hop(self, function: Callable[..., T], *args: object) -> T:
        """Run *function* in the thread; if cancelled, stop it and see it end."""
        try:
            return await self._bridge.call(self._client._execute, function, *args)  # noqa: SLF001
        except anyio.get_cancelled_exc_class():
            self._thread.stop = True
            await self._tidy(self._bridge.call, self._wait_for_thread)
            raise
        except ValueError as error:  # aiosqlite, once it is closed
            raise sqlite_refusal(error) from error

    async def _wait_for_thread(self) -> None:
        """Interrupt what runs until the thread answers, on the asyncio side."""
        execute = self._client._execute  # noqa: SLF001  # see the top of the file
        answer = asyncio.ensure_future(execute(self._thread.resume))
        try:
            while not answer.done():
                self._thread.interrupt()
                await asyncio.wait([answer], timeout=_INTERRUPT_EVERY_S)
        finally:
            answer.cancel()

    # -- transactions -----------------------------------------------------------

    async def _begin(self, savepoint: str | None, opening: str | None = None) -> None:
        del opening  # of PostgreSQL only
        if savepoint:
            await self._hop(self._thread.command, f"SAVEPOINT {savepoint}")
        else:
            await self._hop(self._thread.begin)

    async def _begin_snapshot(self, opening: str | None) -> None:
        del opening  # of PostgreSQL only
        if self._thread.is_reader and self.may_shorten:
            self._thread.begin()  # nothing is read yet: it takes 2 us, a hop 100
        else:
            await self._begin(None)

    async def _end_snapshot(self) -> None:
        if self._thread.is_reader and self.may_shorten:
            self._thread.commit()
        else:
            await self._commit(None)

    async def _commit(self, savepoint: str | None) -> None:
        if savepoint:
            await self._hop(self._thread.command, f"RELEASE {savepoint}")
            return
        execute = self._client._execute  # noqa: SLF001  # see the top of the file
        await self._bridge.finish(self.terminate, execute, self._thread.commit)

    async def _roll_back(
        self, savepoint: str | None, cursors: Sequence[Cursor]
    ) -> None:
        for cursor in cursors:  # an open query may keep SQLite from a rollback
            await cursor.aclose()
        if savepoint:
            await self._hop(self._thread.roll_back_to, savepoint)
        else:
            await self._hop(self._thread.roll_back)

    # -- streams ----------------------------------------------------------------

    async def _open_cursor(self, statement: Statement) -> Cursor:
        cursor = await self._hop(self._thread.open_cursor, statement)
        return _SqliteCursor(self, cursor, statement.decode)

    async def fetch(
        self, cursor: sqlite3.Cursor, count: int, decode: Decode | None
    ) -> Sequence[Row]:
        """Fetch from an open query."""
        return await self._hop(self._thread.fetch, cursor, count, decode)

    async def close_cursor(self, cursor: sqlite3.Cursor) -> None:
        """Release an open query."""
        await self._hop(cursor.close)


def _are_brief(groups: Sequence[Sequence[Statement]]) -> bool:
    return all(each.is_brief for statements in groups for each in statements)


def _executions(statements: Sequence[Statement]) -> int:
    return sum(len(each.parameters) if each.many else 1 for each in statements)


@final
class _SqliteCursor:
    """A query that is stepped through."""

    def __init__(
        self,
        connection: SqliteConnection,
        cursor: sqlite3.Cursor,
        decode: Decode | None,
    ) -> None:
        self._connection = connection
        self._cursor = cursor
        self._decode = decode

    async def fetch(self, count: int) -> Sequence[Row]:
        return await self._connection.fetch(self._cursor, count, self._decode)

    async def aclose(self) -> None:
        await self._connection.close_cursor(self._cursor)
