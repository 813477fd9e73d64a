"""The seam: what the rest of the package knows of a database.

Not a public extension point: methods may be added in any release. Every driver passes
``tests/integration/drivers/test_driver_contract.py``.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Literal, Protocol

from ..errors import DriverError
from ..sql import POSTGRESQL, Dialect, Result, Statement
from ._bridge import Bridge
from ._pool import PoolStatistics, Sharing
from ._session import RowStream
from ._url import DatabaseUrl

__all__ = ["Connection", "Driver", "connect"]


class Connection(Protocol):
    """A leased connection; one task uses it, between acquire and release.

    After an error inside a transaction, or inside a savepoint, that level takes no
    further statement and ends in a rollback, on both databases.
    """

    # A coroutine of the implementation's: it may hand on another one.
    def run(self, statements: Sequence[Statement]) -> Coroutine[Any, Any, list[Result]]:
        """Run *statements* in order, all or nothing, and return a result for each.

        One statement outside a transaction commits by itself; several are one
        transaction; inside a transaction they join it. On SQLite it is one hop to
        the connection's thread, whatever it holds.

        If cancelled, what runs is stopped and nothing of a transaction is kept; of
        a single statement outside a transaction it is unknown whether it was done.

        Raises:
            DriverError: The database refused; its subclass says why.
        """
        ...

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, whatever the others do.

        Not inside a transaction. On SQLite they are one transaction of their own, in
        one hop; on PostgreSQL each group commits by itself.

        Returns:
            The results of each group, or the error that undid it.

        Raises:
            DriverError: Nothing was done, on SQLite; on PostgreSQL only for a lost
                connection, and then groups before may have been.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end; one inside it is a savepoint.

        An exception, or a cancellation before the commit began, rolls back. If
        cancelled in the commit, it goes on for at most `GRACE_S`; after that it is
        unknown whether it was done. On SQLite the writer takes the lock at once
        (``BEGIN IMMEDIATE``).
        """
        ...

    def snapshot(
        self, *, opening: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Return a block that only reads, and sees the database as it was at its begin.

        Not inside a transaction. It costs less than one: nothing can be lost when it
        ends, so a cancellation is not held back for that. It begins with *opening*,
        see `Statement`.
        """
        ...

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows, which keeps one batch in memory.

        Outside a transaction it opens one of its own: committed when it was read to
        the end, rolled back when it was closed before; whatever else is asked of
        the connection meanwhile closes it first.

        Args:
            statement: What to run; without *many*.
            batch: Rows per step, at least one; the last may be shorter. With
                `Statement.decode` a batch is what that made of them.
            snapshot: Whether the transaction of its own only reads, and sees the
                database as it was when it began.
        """
        ...


class Driver(Protocol):
    """The connections to one database, made when first needed.

    Attributes:
        url: Where the database is.
        dialect: What it speaks.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]]
    """Event loops the client runs on natively; the bridge brings the others."""

    @property
    def url(self) -> DatabaseUrl:
        """Where the database is."""
        ...

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        ...

    def acquire(self, *, write: bool = True) -> AbstractAsyncContextManager[Connection]:
        """Return one use of a connection; who waits is served in order, or in turns.

        If cancelled while it waits or connects, nothing is kept. Leaving rolls back
        what was left open, for at most `GRACE_S`, then the connection is cut.

        Args:
            write: False promises only to read. SQLite then gives a reader, which
                refuses writes, and goes on reading while another task writes.

        Raises:
            ClosedError: The driver is closed.
            DatabaseUnreachableError: No connection could be made.
            AuthenticationError: The server refused user, password or database.
        """
        ...

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once: of the writer, or of readers."""
        ...

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        ...

    async def aclose(self) -> None:
        """Close every connection; whoever waits for one gets a `ClosedError`.

        Waits for leases to end, at most `GRACE_S`, then cuts their connections. A
        cancellation is not noticed before the end. Calling it again is harmless.
        """
        ...


def connect(
    url: DatabaseUrl,
    bridge: Bridge,
    *,
    pool_size: int = 20,
    echo: bool = False,
    sharing: Sharing | None = None,
) -> Driver:
    """Return a driver for *url*, without connecting yet.

    Args:
        url: Where the database is.
        bridge: What `open_bridge` gave, in the same event loop.
        pool_size: Connections at most, at least one.
        echo: Whether to report each statement, without its parameters, as
            ``statement_run``.
        sharing: How tasks that wait for a connection take turns; without it first
            come, first served.
    """
    # Each client is imported with the first database of its kind.
    if url.dialect is POSTGRESQL:
        from .postgresql import PostgresDriver  # noqa: PLC0415

        return PostgresDriver(
            url, bridge, pool_size=pool_size, echo=echo, sharing=sharing
        )
    from .sqlite import SqliteDriver  # noqa: PLC0415

    return SqliteDriver(url, bridge, pool_size=pool_size, echo=echo, sharing=sharing)
