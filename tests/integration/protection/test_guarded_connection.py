"""A connection under terms runs what keeps to them, and nothing else."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from dataflow.drivers import Driver
from dataflow.errors import TransactionConflictError, UnguardedStatementError
from dataflow.nodes.model import GuardedDriver
from dataflow.sql import Probe, RacedError, Result, Statement, Terms, clear

ONE = Statement("SELECT 1", returns_rows=True)


async def test_a_statement_from_elsewhere_is_not_run(driver: Driver) -> None:
    own = GuardedDriver(driver, Terms())
    looked_at = clear(ONE, review=lambda result: result)
    with anyio.fail_after(20):
        async with own.acquire() as connection:
            with pytest.raises(UnguardedStatementError, match="guarded table"):
                await connection.run((ONE,))
            with pytest.raises(UnguardedStatementError):
                await connection.run_apart(((clear(ONE),), (looked_at,)))
            with pytest.raises(UnguardedStatementError):
                connection.stream(looked_at)
            apart = await connection.run_apart(((clear(ONE),),))
            (result,) = await connection.run((clear(ONE),))
            async with connection.stream(clear(ONE)) as batches:
                rows = [tuple(row) async for batch in batches for row in batch]

    assert isinstance(apart[0], list)
    assert result.count == 1
    assert rows == [(1,)]


async def test_a_race_that_never_ends_is_given_up(driver: Driver) -> None:
    attempts: list[int] = []

    def review(result: Result) -> Result:
        attempts.append(result.count)
        raise RacedError

    async def run(connection: Any) -> None:
        await connection.run((clear(ONE, review=review),))

    with anyio.fail_after(20):
        async with GuardedDriver(driver, Terms()).acquire() as connection:
            with pytest.raises(TransactionConflictError, match="try again"):
                await run(connection)

    assert len(attempts) == 5


async def test_a_look_that_refuses_keeps_the_statement_from_running(
    driver: Driver,
) -> None:
    ran: list[int] = []

    def refuse(result: Result) -> None:
        del result
        raise LookupError

    def note(result: Result) -> Result:
        ran.append(result.count)
        return result

    statement = clear(ONE, (Probe(ONE, refuse),), note)
    with anyio.fail_after(20):
        async with GuardedDriver(driver, Terms()).acquire() as connection:
            with pytest.raises(LookupError):
                await connection.run((statement,))

    assert ran == []
