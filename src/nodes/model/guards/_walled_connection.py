"""A connection on which the database is asked what triggers do for a message.

Rules of this file: SQLite asks before it does anything; PostgreSQL is looked at before
each transaction commits, and what is not permitted is undone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import final

from msgspec.structs import replace

from ....drivers import Connection, Driver, LentConnection, LentDriver
from ....errors import DriverError
from ....messages import Envelope
from ....sql import POSTGRESQL, Dialect, Permits, Result, Statement
from ..._touched import Watch

__all__ = ["WalledDriver", "walled"]


def walled(connection: Connection, envelope: Envelope, dialect: Dialect) -> Connection:
    """Return a connection for a message, if its rules want to know what is done."""
    judged = envelope.judged
    if judged is None or judged.wall is None:
        return connection
    return WalledConnection(connection, judged.wall(envelope), dialect)


@final
class WalledConnection(LentConnection):
    """Runs the statements of one message.

    Args:
        connection: Where.
        permits: Says what the database may do for it.
        dialect: Of that.
    """

    def __init__(
        self, connection: Connection, permits: Permits, dialect: Dialect
    ) -> None:
        super().__init__(connection)
        self._permits = permits
        self._is_watched = dialect is POSTGRESQL
        self._is_open = False

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing.

        Raises:
            BlockedError: Something is not permitted; nothing was done.
        """
        if not self._is_watched:
            return await self._connection.run(self._asking(statements))
        async with self.transaction():
            return await self._connection.run(statements)

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing."""
        outcomes: list[list[Result] | DriverError] = []
        for group in groups:
            try:
                outcomes.append(await self.run(group))
            except DriverError as error:
                outcomes.append(error)
        return outcomes

    def _asking(self, statements: Sequence[Statement]) -> list[Statement]:
        permits = self._permits
        return [
            replace(each, permits=permits, is_brief=False, may_be_brief=False)
            for each in statements
        ]

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end, if all of it is permitted."""
        if self._is_open or not self._is_watched:
            return self._connection.transaction()
        return self._watched()

    @asynccontextmanager
    async def _watched(self) -> AsyncGenerator[None]:
        async with self._connection.transaction():
            watch = Watch(self._connection, self._permits, reads=False)
            await watch.begin()
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
            await watch.check()


@final
class WalledDriver(LentDriver):
    """A driver whose connections are asked what the database does for a message.

    Args:
        driver: The driver.
        envelope: The message.
    """

    def __init__(self, driver: Driver, envelope: Envelope) -> None:
        super().__init__(driver)
        self._envelope = envelope

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Lease a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield walled(connection, self._envelope, self.dialect)
