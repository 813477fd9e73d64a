"""A connection whose transactions reach the rows of one tenant, or of all.

Rules of this file:

1. Whatever is run, runs in a transaction that said whose rows it reaches before. What
   stands alone says so with its ``BEGIN``, in one round trip; a transaction of the
   caller with its first statements.
2. It is said outside of savepoints: what rolls one back would take it along.
3. How a transaction is isolated can only be said before that.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, final

from msgspec.structs import replace

from ..drivers import Connection, Driver, LentConnection, LentDriver, RowStream
from ..errors import DriverError, DuplicateKeyError, ForeignKeyError
from ..sql import Result, Statement
from ._constraints import Constraints
from ._reach import Reach

__all__ = ["ReachingConnection", "ReachingDriver", "Told"]

_MODE: Final = "SET TRANSACTION"


@final
class Told:
    """What tells which fields an error is about.

    Args:
        constraints: Those that are known.
        table: Name of the table that is worked on.
        is_delete: Whether its rows are to be deleted.
    """

    __slots__ = ("_constraints", "_is_delete", "_table")

    def __init__(
        self, constraints: Constraints, table: str, *, is_delete: bool
    ) -> None:
        self._constraints = constraints
        self._table = table
        self._is_delete = is_delete

    def whole(self, error: DriverError) -> DriverError:
        """Return *error* with what the database does not tell."""
        told = error
        if isinstance(error, DuplicateKeyError):
            told = self._constraints.duplicate(error)
        elif isinstance(error, ForeignKeyError):
            told = self._constraints.foreign(
                error, self._table, is_delete=self._is_delete
            )
        if told is not error:
            told.__cause__ = error.__cause__
        return told

    @contextmanager
    def telling(self) -> Generator[None]:
        """Make errors of the block whole."""
        try:
            yield
        except DriverError as error:
            told = self.whole(error)
            if told is error:
                raise
            raise told from error.__cause__


@final
class ReachingConnection(LentConnection):
    """Runs statements of one message, or of several that reach the same rows.

    Args:
        connection: Where.
        reach: Whose rows.
        told: Makes errors whole.
    """

    def __init__(self, connection: Connection, reach: Reach, told: Told) -> None:
        super().__init__(connection)
        self._reach = reach
        self._told = told
        self._depth = 0
        self._is_said = False

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        """Run *statements* in order, all or nothing, see `Connection.run`."""
        with self._told.telling():
            if not self._depth:
                return await self._connection.run(self._opened(statements))
            if self._is_said or not statements:
                return await self._connection.run(statements)
            head = int(statements[0].text.startswith(_MODE))
            self._is_said = True
            results = await self._connection.run(
                (*statements[:head], self._reach.statement, *statements[head:])
            )
            return [*results[:head], *results[head + 1 :]]

    def _opened(self, statements: Sequence[Statement]) -> Sequence[Statement]:
        if not statements:
            return statements
        first, *rest = statements
        return [replace(first, opening=self._reach.opening), *rest]

    async def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups of statements, each all or nothing, whatever the others do."""
        outcomes = await self._connection.run_apart([*map(self._opened, groups)])
        return [
            self._told.whole(each) if isinstance(each, DriverError) else each
            for each in outcomes
        ]

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a block that commits at its end, see `Connection.transaction`."""
        return self._level(self._connection.transaction())

    def snapshot(
        self, *, opening: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Return a block that only reads, see `Connection.snapshot`."""
        reach = self._reach.opening
        return self._snapshot(reach if opening is None else f"{reach};{opening}")

    @asynccontextmanager
    async def _snapshot(self, opening: str) -> AsyncGenerator[None]:
        async with self._level(self._connection.snapshot(opening=opening)):
            self._is_said = True
            yield

    @asynccontextmanager
    async def _level(
        self, block: AbstractAsyncContextManager[None]
    ) -> AsyncGenerator[None]:
        if self._depth and not self._is_said:
            self._is_said = True
            await self._connection.run((self._reach.statement,))
        with self._told.telling():
            async with block:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    self._is_said = self._is_said and self._depth > 0

    def stream(
        self, statement: Statement, *, batch: int = 1000, snapshot: bool = False
    ) -> RowStream:
        """Return an iterator over batches of rows.

        Raises:
            RuntimeError: Nothing was run yet in the open transaction.
        """
        if self._depth and not self._is_said:
            msg = "a transaction says whose rows it reaches before it streams them"
            raise RuntimeError(msg)
        (opened,) = self._opened((statement,))
        return self._connection.stream(opened, batch=batch, snapshot=snapshot)


@final
class ReachingDriver(LentDriver):
    """The connections to a database, each of which reaches the same rows.

    Args:
        driver: They.
        reach: Whose rows.
        told: Makes errors whole.
    """

    def __init__(self, driver: Driver, reach: Reach, told: Told) -> None:
        super().__init__(driver)
        self._reach = reach
        self._told = told

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield ReachingConnection(connection, self._reach, self._told)
