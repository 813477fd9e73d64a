"""Running the work of one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final

from ....drivers import Connection
from ....errors import (
    ConnectionLostError,
    DriverError,
    MigrationCheckError,
    TransactionConflictError,
)
from ....sql import Dialect, Statement
from .._step import Proof, Work
from ..planning import Fill
from ._backfill import Backfills
from ._lock import patiently
from ._look import ask

__all__ = ["Runner"]

_OBJECTS: Final = (
    "SELECT sql FROM sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL "
    "AND type IN ('index', 'trigger') ORDER BY type, name"
)

Record = Callable[[float], Statement | None]
"""Makes the statement that enters work as done, of the seconds it took."""


class Runner:
    """Runs work over the connection that migrates.

    Args:
        connection: Over which.
        dialect: What it speaks.
        fills: Where factories of values are found, by table and column.
        is_noting: Whether values that rows are given may have to be taken back.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        fills: Mapping[tuple[str, str], Fill],
        *,
        is_noting: bool = False,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._backfills = Backfills(connection, dialect, fills, is_noting=is_noting)

    async def prove(self, proof: Proof, what: str) -> None:
        """See that a question has no row for an answer.

        Raises:
            MigrationCheckError: It has, or there is a value that cannot even be cast.
        """
        try:
            rows = await ask(self._connection, proof.query)
        except (ConnectionLostError, TransactionConflictError):
            raise
        except DriverError as error:
            problem = f"{proof.problem} ({error})"
            raise MigrationCheckError(what, problem) from error
        if rows:
            raise MigrationCheckError(what, proof.problem)

    async def run(self, work: Work, what: str, record: Record) -> None:
        """Run work, and enter it as done with it, or right behind it.

        If cancelled, work in a transaction is undone; a backfill keeps its batches; an
        index that is made concurrently is left invalid, and the next plan finds it.
        What takes a backfill back does so behind its statements, in batches too.

        Raises:
            MigrationCheckError: Something in the database does not allow it.
            DriverError: The database refused.
        """
        if work.mode == "alone":
            await self._run_alone(work, what, record)
        elif work.mode == "backfill" and work.backfill is not None:
            start = perf_counter()
            await self._backfills.fill(work.backfill)
            await self._enter(record(perf_counter() - start))
        elif self._dialect.name == "sqlite":
            await self._run_inside(work, what, record)
        else:

            async def attempt(timeout_s: float) -> None:
                await self._run_in_transaction(work, what, record, timeout_s)

            await patiently(what, attempt)
            if work.backfill is not None:
                await self._backfills.take_back(work.backfill)

    async def forget(self) -> None:
        """Let go of what would be needed to take values of rows back."""
        await self._backfills.forget()

    async def _run_alone(self, work: Work, what: str, record: Record) -> None:
        start = perf_counter()
        for text in work.sql:

            async def run(_: float, text: str = text) -> None:
                await self._connection.run([Statement(text)])

            await patiently(what, run)
        await self._enter(record(perf_counter() - start))

    async def _run_in_transaction(
        self, work: Work, what: str, record: Record, timeout_s: float
    ) -> None:
        timeout = f"SET LOCAL lock_timeout = {int(timeout_s * 1000)}"
        async with self._connection.transaction():
            await self._connection.run([Statement(timeout)])
            await self._run_inside(work, what, record)

    async def _run_inside(self, work: Work, what: str, record: Record) -> None:
        """Run in the open transaction."""
        start = perf_counter()
        objects: Sequence[Any] = ()
        if work.objects_of is not None:
            objects = await ask(self._connection, _OBJECTS, work.objects_of)
        for each in work.statements:
            if isinstance(each, Proof):
                await self.prove(each, what)
            else:
                await self._connection.run([Statement(each)])
        for (text,) in objects:
            await self._connection.run([Statement(text)])
        await self._enter(record(perf_counter() - start))

    async def _enter(self, statement: Statement | None) -> None:
        if statement is not None:
            await self._connection.run([statement])
