"""A driver over the connections of another one, and a connection over one of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Literal

from ..errors import DriverError
from ..sql import Dialect, Result, Statement
from ._driver import Connection, Driver
from ._pool import PoolStatistics
from ._session import RowStream
from ._url import DatabaseUrl

__all__ = ["LentConnection", "LentDriver"]


class LentConnection(ABC):
    """Runs statements on the connection of another driver, with something around them.

    Whoever is based on it says how statements run. What it does not say goes to that
    connection as it is: reads, and the begin and end of transactions.

    Args:
        connection: Where.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @abstractmethod
    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing, see `Connection.run`."""

    @abstractmethod
    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, whatever the others do."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end, see `Connection.transaction`."""
        return self._connection.transaction()

    def snapshot(
        self, *, opening: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Return a block that only reads, see `Connection.snapshot`."""
        return self._connection.snapshot(opening=opening)

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows, see `Connection.stream`."""
        return self._connection.stream(statement, batch=batch, snapshot=snapshot)


class LentDriver(ABC):
    """Gives the connections of another driver, changed on their way; closes none.

    Args:
        driver: Whose connections they are.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset()

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def url(self) -> DatabaseUrl:
        """Where the database is."""
        return self._driver.url

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._driver.dialect

    @abstractmethod
    def acquire(self, *, write: bool = True) -> AbstractAsyncContextManager[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return self._driver.capacity(write=write)

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return self._driver.statistics()

    async def aclose(self) -> None:  # noqa: B027  # nothing is its own
        """Do nothing: the connections belong to somebody else."""
