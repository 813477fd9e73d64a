"""One connection to PostgreSQL: statements, transactions, streams."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, final

import anyio

from ...errors import ConnectionLostError, DriverError, TransactionConflictError
from ...sql import Result, Statement
from .._bridge import Bridge
from .._refusals import ENDED, STALE_STATEMENT, postgres_errors, postgres_refusal
from .._session import FAILED_TRANSACTION, Cursor, Decode, Row, Session, Transaction
from ._client import Client, Portal, call
from ._copy import copy, count_of

__all__ = ["PostgresConnection"]


@final
class PostgresConnection(Session):
    """One connection; what it does is described in `Session`."""

    def __init__(self, client: Client, bridge: Bridge, *, echo: bool) -> None:
        super().__init__(bridge, echo=echo)
        self._client = client

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, on either side."""
        return self._client.is_closed()

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open, neither ours nor one in raw SQL."""
        client = self._client
        return not (self._depth or client.is_closed() or client.is_in_transaction())

    @property
    def _is_in_transaction(self) -> bool:
        return not self._client.is_closed() and self._client.is_in_transaction()

    async def aclose(self) -> None:
        """Say goodbye; whatever goes wrong then is of no interest."""
        with suppress(DriverError):
            await call(self._bridge, self._client.close)

    def terminate(self) -> None:
        """Cut the connection; the server notices when it next reads or writes."""
        self._client.terminate()

    # -- statements -------------------------------------------------------------

    async def _run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        if not statements:
            return []
        first = statements[0]
        if len(statements) > 1 or first.many or first.opening is not None:
            return await self._run_in_transaction(statements)
        try:
            # Not by `_run_joined`: each coroutine in between is resumed with this one.
            return [await self._bridge.call(self._run_one, first)]
        except anyio.get_cancelled_exc_class():
            # The server has answered the cancel request once it answers this.
            await self._tidy(self._command, "SELECT 1")
            raise
        except postgres_errors() as error:
            raise self._refusal(error) from error

    async def _run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        outcomes: list[list[Result] | DriverError] = []
        for statements in groups:
            try:
                outcomes.append(await self._run_alone(statements))
            except ConnectionLostError:
                raise
            except DriverError as error:
                outcomes.append(error)
        return outcomes

    async def _run_in_transaction(
        self, statements: Sequence[Statement], *, retry: bool = True
    ) -> list[Result]:
        try:
            async with Transaction(self, opening=statements[0].opening):
                return await self._run_joined(statements)
        except TransactionConflictError as error:
            if error.code != STALE_STATEMENT or not retry:
                raise
        # As asyncpg does by itself for a statement outside a transaction.
        return await self._run_in_transaction(statements, retry=False)

    async def _run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        try:
            if len(statements) == 1:
                return [await self._bridge.call(self._run_one, statements[0])]
            return await self._bridge.call(self._run_each, statements)
        except postgres_errors() as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> DriverError:
        """Return what an error of asyncpg says; a lost connection is cut."""
        refusal = postgres_refusal(error)
        if isinstance(refusal, ConnectionLostError):
            self.terminate()  # the client does not always know it yet
        return refusal

    async def _run_each(self, statements: Sequence[Statement]) -> list[Result]:
        return [await self._run_one(statement) for statement in statements]

    async def _run_one(self, statement: Statement) -> Result:
        """Run one statement, on the asyncio side."""
        if self._echo:
            return await self._run_echoed(statement)
        if statement.many:
            return await self._run_many(statement)
        text, client = statement.text, self._client
        if client.is_closed():  # which only asyncpg's public methods look at
            raise ConnectionLostError(ENDED)
        if statement.packed is not None:
            return await copy(self._client, text, statement.packed)
        # What `_execute` does, without two of its five coroutines: 2 of 48 us. This one
        # prepares, and prepares again when the table was changed.
        bind_execute = client._protocol.bind_execute  # noqa: SLF001  # see `Client`
        values, with_status = statement.parameters, True
        (rows, status, _), _ = await client._do_execute(  # noqa: SLF001
            text,
            lambda state, _: bind_execute(state, values, "", 0, with_status, None),
            None,
        )
        if statement.is_brief:
            return Result(rows, len(rows))
        if statement.decode is not None:
            return Result(statement.decode(rows), len(rows))
        return await self._result(statement, rows, status)

    async def _result(
        self, statement: Statement, rows: Sequence[Any], status: bytes
    ) -> Result:
        """Return what *statement* gave, in the form that it asks for."""
        if not statement.returns_rows:
            return Result((), count_of(status))
        columns = await self._name(rows, statement.text)
        return Result(rows, len(rows) or count_of(status), columns)

    async def _run_many(self, statement: Statement) -> Result:
        text, parameters = statement.text, statement.parameters
        is_change = text.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")
        if not (is_change or statement.returns_rows):
            singles = [Statement(text, each) for each in parameters]
            return Result(
                (), sum([(await self._run_one(one)).count for one in singles])
            )
        # `executemany` does not tell how many rows changed; one tiny row for each
        # of them costs about 10 %, a status for each a round trip.
        is_silent = is_change and "RETURNING" not in text.upper()
        asked = f"{text.rstrip().removesuffix(';')}\nRETURNING 1" if is_silent else text
        rows = await self._client.fetchmany(asked, parameters)
        if is_silent or not statement.returns_rows:
            return Result((), len(rows))
        return Result(rows, len(rows), await self._name(rows, text))

    async def _run_echoed(self, statement: Statement) -> Result:
        self._echo, start = False, time.perf_counter()
        try:
            result = await self._run_one(statement)
        finally:
            self._echo = True
        self._report(statement, time.perf_counter() - start, result.count)
        return result

    async def _name(self, rows: Sequence[Any], text: str) -> tuple[str, ...]:
        """Name the columns of *rows*; without any, those of the cached statement."""
        if rows:
            return tuple(rows[0].keys())
        prepared = await self._client._prepare(  # noqa: SLF001  # see `Client`
            text, use_cache=True
        )
        return tuple(attribute.name for attribute in prepared.get_attributes())

    async def _command(self, text: str) -> str:
        return await call(self._bridge, self._client.execute, text)

    # -- transactions -----------------------------------------------------------

    async def _begin(self, savepoint: str | None, opening: str | None = None) -> None:
        await self._command(
            f"SAVEPOINT {savepoint}" if savepoint else _opened("BEGIN", opening)
        )

    async def _begin_snapshot(self, opening: str | None) -> None:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        await self._command(_opened(begin, opening))

    async def _end_snapshot(self) -> None:
        # Nothing is lost if it is cancelled; a task to finish it would cost 150 us.
        await self._command("COMMIT")

    async def _commit(self, savepoint: str | None) -> None:
        if savepoint:
            await self._command(f"RELEASE {savepoint}")
            return
        finish, execute = self._bridge.finish, self._client.execute
        try:
            status = await finish(self.terminate, execute, "COMMIT")
        except postgres_errors() as error:
            raise postgres_refusal(error) from error
        if status != "COMMIT":
            # A transaction that failed answers COMMIT with ROLLBACK, not an error.
            msg = "the transaction was rolled back: a statement in it had failed"
            raise DriverError(msg, FAILED_TRANSACTION)

    async def _roll_back(
        self, savepoint: str | None, cursors: Sequence[Cursor]
    ) -> None:
        del cursors  # the server releases them
        if savepoint:
            await self._command(f"ROLLBACK TO {savepoint}")
            await self._command(f"RELEASE {savepoint}")
        else:
            await self._command("ROLLBACK")

    # -- streams ----------------------------------------------------------------

    async def _open_cursor(self, statement: Statement) -> Cursor:
        text, parameters = statement.text, statement.parameters
        portal = await call(self._bridge, self._client.cursor, text, *parameters)
        return _PostgresCursor(portal, self._bridge, statement.decode)


@final
class _PostgresCursor:
    """A portal on the server."""

    def __init__(
        self, portal: Portal, bridge: Bridge, decode: Decode | None = None
    ) -> None:
        self._portal = portal
        self._bridge = bridge
        self._decode = decode

    async def fetch(self, count: int) -> Sequence[Row]:
        rows = await call(self._bridge, self._portal.fetch, count)
        return rows if self._decode is None else self._decode(rows)

    async def aclose(self) -> None:
        """Close the portal, which would live until the end of the transaction."""
        await call(self._bridge, self._portal._close_portal, None)  # noqa: SLF001


def _opened(begin: str, opening: str | None) -> str:
    """Return what begins a transaction, in one round trip with what opens it."""
    return begin if opening is None else f"{begin};{opening}"
