"""SQLite, through aiosqlite: one writer, several readers, each with a thread.

A `run` is one hop to the connection's thread and back, whatever it holds: the hop
costs ten times the statement. What is briefer than the hop needs none, see
`_shortcut`.

Nobody but the writer writes: readers are ``query_only``. A database in memory has one
connection for both.

The journal is WAL with ``synchronous=NORMAL``: after a power cut the database is
intact but may lack the last commits; a crash of the process loses nothing.
Source: sqlite.org/pragma.html#pragma_synchronous.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import ClassVar, Final, Literal, final

import anyio

from ...errors import DatabaseUnreachableError, DriverError
from ...sql import SQLITE, Dialect
from .._bridge import GRACE_S, Bridge
from .._pool import Lease, Pool, PoolStatistics, Sharing
from .._url import DatabaseUrl
from ._client import LOOK_EVERY_S, make_client, open_client, see_end
from ._connection import SqliteConnection
from ._journal import Journal
from ._thread import SqliteThread

__all__ = ["SqliteDriver"]

OLDEST: Final = (3, 35)
"""Version of SQLite that brought RETURNING. Source: sqlite.org/changes.html."""

READERS: Final = 4
"""Readers at most: they share the interpreter's lock, so more gain nothing.

Measured on two cores, 20 tasks with short reads: one reader 25 k/s, two 27 k/s, three
31 k/s, four 29 k/s. A long read keeps one of them from the short ones.
"""

BUSY_TIMEOUT_S: Final = 5.0
"""Seconds to wait for the lock of another process; `timeout` in the URL changes it."""


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
                    await anyio.sleep(LOOK_EVERY_S)

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
        client = make_client(thread)
        try:
            await self._bridge.call(open_client, client)
        except BaseException as error:
            thread.abandon()
            with anyio.move_on_after(GRACE_S, shield=True):
                await see_end(client)
            if isinstance(error, DatabaseUnreachableError):
                raise _unreachable(self.url.database, error) from error.__cause__
            raise
        connection = SqliteConnection(client, thread, self._bridge, echo=self._echo)
        if self.url.options.get("shortcut") == "off":
            connection.may_shorten = False
        return connection


def _unreachable(path: str, error: DriverError) -> DatabaseUnreachableError:
    folder = Path(path).absolute().parent
    reason = error.message
    if not folder.is_dir():
        reason = f"the folder {folder} does not exist, make it first"
    return DatabaseUnreachableError(f"cannot open {path}: {reason}", error.code)
