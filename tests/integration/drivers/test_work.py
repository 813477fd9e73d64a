"""Work of several steps goes to a SQLite connection as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator

import anyio
import pytest

from dataflow.drivers import Bridge, Connection, Inside, Workplace, connect, parse_url
from dataflow.errors import ConstraintError, DriverError
from dataflow.sql import Statement

MAKE = Statement("CREATE TABLE t (n integer PRIMARY KEY CHECK (n > 0))")
COUNT = Statement("SELECT count(*) FROM t", returns_rows=True)


class Once:
    """Waits for whoever runs it."""

    def __await__(self) -> Generator[None]:
        yield


def add(n: int) -> Statement:
    return Statement("INSERT INTO t VALUES (?1)", (n,))


@pytest.fixture
async def connection(sqlite_url: str, bridge: Bridge) -> AsyncIterator[Connection]:
    driver = connect(parse_url(sqlite_url), bridge)
    async with driver.acquire() as connection:
        await connection.run((MAKE,))
        yield connection
    await driver.aclose()


async def count(connection: Connection) -> int:
    (found,) = await connection.run((COUNT,))
    return int(found.rows[0][0])


async def test_what_asks_and_decides_is_one_transaction(connection: Connection) -> None:
    async def work(inside: Inside) -> int:
        await inside.run((add(1),))
        (found,) = await inside.run((COUNT,))
        await inside.run((add(found.rows[0][0] + 1),))
        return int(found.rows[0][0])

    assert isinstance(connection, Workplace)
    assert await connection.run_work(work) == 1
    assert await count(connection) == 2
    async with connection.transaction():
        assert not connection.takes_work
    assert connection.takes_work


async def test_an_error_undoes_all_of_it(connection: Connection) -> None:
    async def refused(inside: Inside) -> None:
        await inside.run((add(1),))
        await inside.run((add(-1),))

    async def fails(inside: Inside) -> None:
        await inside.run((add(1),))
        raise LookupError

    async def waits(inside: Inside) -> None:
        await inside.run((add(1),))
        await Once()

    assert isinstance(connection, Workplace)
    with pytest.raises(ConstraintError):
        await connection.run_work(refused)
    with pytest.raises(LookupError):
        await connection.run_work(fails)
    with pytest.raises(RuntimeError, match="waits for nothing but"):
        await connection.run_work(waits)
    assert await count(connection) == 0


async def test_a_group_is_undone_by_itself(connection: Connection) -> None:
    async def work(inside: Inside) -> list[object]:
        return [
            await inside.run_apart((add(1), add(2))),
            await inside.run_apart((add(3), add(-3))),
            await inside.run_apart((add(4),)),
        ]

    assert isinstance(connection, Workplace)
    stored, refused, last = await connection.run_work(work)
    assert isinstance(refused, ConstraintError)
    assert not isinstance(stored, DriverError)
    assert not isinstance(last, DriverError)
    assert await count(connection) == 3


async def test_what_is_cancelled_keeps_nothing(connection: Connection) -> None:
    endless = Statement(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
        "SELECT count(*) FROM c",
        returns_rows=True,
    )
    began = anyio.Event()

    async def work(inside: Inside) -> None:
        await inside.run((add(1),))
        await inside.run((endless,))

    async def run() -> None:
        assert isinstance(connection, Workplace)
        began.set()
        await connection.run_work(work)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await began.wait()
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert await count(connection) == 0


async def test_a_stream_ends_before_work_begins(connection: Connection) -> None:
    await connection.run([add(n) for n in range(1, 9)])

    async def work(inside: Inside) -> None:
        await inside.run((add(9),))

    assert isinstance(connection, Workplace)
    rows = Statement("SELECT n FROM t", returns_rows=True)
    async for batch in connection.stream(rows, batch=2):
        assert len(batch) == 2
        await connection.run_work(work)
        break
    assert await count(connection) == 9
