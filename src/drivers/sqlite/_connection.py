"""One connection to SQLite: statements, transactions, streams."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeVar, final

import anyio

from ...errors import DriverError
from ...sql import Result, Statement
from .._bridge import Bridge
from .._refusals import sqlite_refusal
from .._session import Cursor, Decode, Row, Session
from .._workplace import Work
from ._client import Client, see_end
from ._thread import SqliteThread

__all__ = ["FEW", "SqliteConnection"]

T = TypeVar("T")

FEW: Final = 32
"""Rows in a piece of work that takes no longer than a hop: 100 us."""

_INTERRUPT_EVERY_S: Final = 0.01
"""Seconds between two interrupts of a statement that is to be stopped."""


@final
class SqliteConnection(Session):
    """One connection; what it does is described in `Session`.

    Attributes:
        may_shorten: Whether brief statements may run on the event loop's thread.
    """

    def __init__(
        self, client: Client, thread: SqliteThread, bridge: Bridge, *, echo: bool
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
        await see_end(self._client)

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
        execute = self._client._execute  # noqa: SLF001  # see `_client`
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
        execute = self._client._execute  # noqa: SLF001  # see `_client`
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
