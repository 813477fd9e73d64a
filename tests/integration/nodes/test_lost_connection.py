"""A connection that ends in the middle costs the request in hand, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow import DataFlow, Records
from dataflow.drivers import Bridge, Connection, Driver, connect, parse_url
from dataflow.errors import ConnectionLostError
from dataflow.sql import Statement

pytestmark = pytest.mark.postgres

BLOCKED = (
    "FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock' AND query NOT LIKE '%pg_stat_activity%'"
)


@pytest.fixture
async def other(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give connections of somebody else."""
    driver = connect(parse_url(postgres_url), bridge, pool_size=2)
    yield driver
    await driver.aclose()


@pytest.fixture
async def rows(postgres_url: str) -> AsyncIterator[Records]:
    async with DataFlow(postgres_url, pool_size=2) as db:

        @db.model
        class Item:
            name: str

        await db[Item].create(name="a")
        yield db[Item]
    db.close()


async def value(connection: Connection, text: str) -> Any:
    (result,) = await connection.run([Statement(text, (), returns_rows=True)])
    return result.rows[0][0]


async def cut_whoever_waits(driver: Driver, n_times: int) -> None:
    """End connections that wait for a lock, as soon as there is one."""
    async with driver.acquire() as connection:
        for _ in range(n_times):
            while not await value(connection, f"SELECT count(*) {BLOCKED}"):
                await checkpoint()
            pid = await value(connection, f"SELECT pid {BLOCKED}")
            await value(connection, f"SELECT pg_terminate_backend({pid})")
            # It may be seen for a while: it is not the next one.
            while await value(connection, f"SELECT count(*) {BLOCKED} AND pid = {pid}"):
                await checkpoint()


async def under_lock(
    other: Driver, call: Callable[[], Awaitable[Any]], n_cuts: int
) -> list[Any]:
    """Call while the table is locked and the caller's connection is cut."""
    outcome: list[Any] = []

    async def run() -> None:
        try:
            outcome.append(await call())
        except ConnectionLostError as error:
            outcome.append(error)

    with anyio.fail_after(20):
        async with (
            anyio.create_task_group() as tasks,
            other.acquire() as connection,
            connection.transaction(),
        ):
            await connection.run([Statement("LOCK TABLE items")])
            tasks.start_soon(run)
            await cut_whoever_waits(other, n_cuts)
    return outcome


async def test_a_read_is_done_again_on_another_connection(
    rows: Records, other: Driver
) -> None:
    outcome = await under_lock(other, lambda: rows.read(1), 1)

    assert outcome == [{"id": 1, "name": "a", "found": True}]


async def test_a_read_is_done_again_once(rows: Records, other: Driver) -> None:
    outcome = await under_lock(other, rows.count, 2)

    assert [type(each) for each in outcome] == [ConnectionLostError]
    assert await rows.count() == 1


async def test_a_stream_without_a_record_yet_is_begun_again_once(
    rows: Records, other: Driver
) -> None:
    async def first() -> Any:
        async with rows.stream() as stream:
            return await anext(stream)

    outcome = await under_lock(other, first, 1)
    again = await under_lock(other, first, 2)

    assert outcome == [{"id": 1, "name": "a"}]
    assert [type(each) for each in again] == [ConnectionLostError]


async def test_a_write_fails_and_the_next_one_works(
    rows: Records, other: Driver
) -> None:
    outcome = await under_lock(other, lambda: rows.create(name="b"), 1)
    created = await rows.create(name="c")

    assert [type(each) for each in outcome] == [ConnectionLostError]
    assert created["name"] == "c"
    assert [record["name"] async for record in rows.stream()] == ["a", "c"]
