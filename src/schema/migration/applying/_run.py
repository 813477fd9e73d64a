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
from ....sql import Dialect, Statement, codec
from .._step import Backfill, Proof, Work
from ..planning import Fill
from ._lock import patiently
from ._look import ask

__all__ = ["Runner"]

BATCH: Final = 5_000
"""Rows that one transaction of a backfill gives a value."""

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
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        fills: Mapping[tuple[str, str], Fill],
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._fills = fills

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

        Raises:
            MigrationCheckError: Something in the database does not allow it.
            DriverError: The database refused.
        """
        if work.mode == "alone":
            await self._run_alone(work, what, record)
        elif work.mode == "backfill" and work.backfill is not None:
            await self._fill(work.backfill, record)
        elif self._dialect.name == "sqlite":
            await self._run_inside(work, what, record)
        else:

            async def attempt(timeout_s: float) -> None:
                await self._run_in_transaction(work, what, record, timeout_s)

            await patiently(what, attempt)

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

    # -- backfill ---------------------------------------------------------------

    async def _fill(self, fill: Backfill, record: Record) -> None:
        """Give rows a value in the order of their keys, a batch at a time.

        What a batch committed is not done again: rows with a value are passed over.
        """
        start = perf_counter()
        last: Sequence[Any] | None = None
        while True:
            keys = await self._next(fill, last)
            if not keys:
                break
            await patiently(
                "give rows a value",
                lambda _: self._fill_some(fill, keys),  # noqa: B023  # awaited here
            )
            last = keys[-1]
        await self._enter(record(perf_counter() - start))

    async def _next(
        self, fill: Backfill, last: Sequence[Any] | None
    ) -> list[tuple[Any, ...]]:
        key = ", ".join(fill.key)
        behind = ""
        if last is not None:
            places = ", ".join(self._places(len(fill.key)))
            behind = f"AND ({key}) > ({places}) "
        query = (
            f"SELECT {key} FROM {fill.table} WHERE {fill.column} IS NULL {behind}"
            f"ORDER BY {key} LIMIT {BATCH}"
        )
        return [tuple(row) for row in await ask(self._connection, query, *(last or ()))]

    async def _fill_some(self, fill: Backfill, keys: Sequence[tuple[Any, ...]]) -> None:
        is_made = fill.literal is None
        places = self._places(len(fill.key) + is_made)
        where = " AND ".join(
            f"{column} = {place}"
            for column, place in zip(fill.key, places[is_made:], strict=True)
        )
        text = (
            f"UPDATE {fill.table} SET {fill.column} = "
            f"{places[0] if is_made else fill.literal} "
            f"WHERE {where} AND {fill.column} IS NULL"
        )
        rows = keys
        if is_made:
            values = self._values(fill, len(keys))
            rows = [(value, *key) for value, key in zip(values, keys, strict=True)]
        await self._connection.run([Statement(text, rows, many=True)])

    def _values(self, fill: Backfill, count: int) -> list[Any]:
        found = self._fills[fill.place]
        assert found.factory is not None, "the plan says so"  # noqa: S101
        encode = codec(found.type, self._dialect).encode
        values = [found.factory() for _ in range(count)]
        return values if encode is None else [encode(value) for value in values]

    def _places(self, count: int) -> list[str]:
        return [self._dialect.place(number + 1) for number in range(count)]
