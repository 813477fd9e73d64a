"""Turns whose callers go away, or whose connection does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from dataflow import DataFlow, Records
from dataflow.actors import Interceptor
from dataflow.drivers import Connection, Driver
from dataflow.errors import ConnectionLostError, DataFlowError
from dataflow.sql import POSTGRESQL, Statement

BLOCKED = (
    "FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock' AND query NOT LIKE '%pg_stat_activity%'"
)

postgres = pytest.mark.parametrize(
    "database_url", ["postgres_url"], indirect=True, ids=["postgres"]
)


class Door(Interceptor, Protocol):
    """See conftest."""

    sizes: list[int]
    n_inside: int


@pytest.fixture
async def items(database_url: str, door: Door) -> AsyncIterator[Records]:
    async with DataFlow(database_url, pool_size=1, interceptors=[door]) as db:

        @db.model
        class Item:
            name: str

        for name in "abc":
            await db[Item].create(name=name)
        door.sizes.clear()
        yield db[Item]
    db.close()


async def value(connection: Connection, text: str) -> Any:
    (result,) = await connection.run([Statement(text, (), returns_rows=True)])
    return result.rows[0][0]


@asynccontextmanager
async def held(other: Driver) -> AsyncGenerator[Connection]:
    """Keep everybody else from writing; on PostgreSQL from reading, too."""
    async with other.acquire() as connection, connection.transaction():
        if other.dialect is POSTGRESQL:
            await connection.run([Statement("LOCK TABLE items")])
        yield connection


async def somebody_waits(other: Driver) -> None:
    """Wait until a statement waits for the lock; on SQLite for no more than it can."""
    if other.dialect is POSTGRESQL:
        async with other.acquire() as connection:
            while not await value(connection, f"SELECT count(*) {BLOCKED}"):
                await checkpoint()
    else:
        for _ in range(10):
            await checkpoint()


async def nobody_waits(other: Driver) -> None:
    """Wait until no statement waits for the lock."""
    if other.dialect is POSTGRESQL:
        async with other.acquire() as connection:
            while await value(connection, f"SELECT count(*) {BLOCKED}"):
                await checkpoint()


async def cut_whoever_waits(other: Driver) -> None:
    await somebody_waits(other)
    async with other.acquire() as connection:
        pid = await value(connection, f"SELECT pid {BLOCKED}")
        await value(connection, f"SELECT pg_terminate_backend({pid})")
        while await value(connection, f"SELECT count(*) {BLOCKED} AND pid = {pid}"):
            await checkpoint()


class Callers:
    """Calls that share a turn, each in a task that can be cancelled.

    Attributes:
        outcomes: Results and errors, in the order of the calls; None: cancelled.
    """

    def __init__(self, *calls: Callable[[], Awaitable[Any]]) -> None:
        self.outcomes: list[Any] = [None] * len(calls)
        self.scopes = [anyio.CancelScope() for _ in calls]
        self._calls = calls

    def start(self, tasks: TaskGroup) -> None:
        """Call in one pass of the event loop, so that an idle actor takes all."""
        for place in range(len(self._calls)):
            tasks.start_soon(self._call, place)

    async def _call(self, place: int) -> None:
        with self.scopes[place]:
            try:
                self.outcomes[place] = await self._calls[place]()
            except DataFlowError as error:
                self.outcomes[place] = error


def creating(items: Records, names: str) -> list[Callable[[], Awaitable[Any]]]:
    return [partial(items.create, name=name) for name in names]


async def stored(items: Records) -> list[str]:
    return [record["name"] async for record in items.stream()]


async def test_a_caller_that_is_cancelled_in_the_middle_takes_nobody_along(
    items: Records, door: Door, other: Driver
) -> None:
    callers = Callers(*creating(items, "defg"))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, held(other):
            callers.start(tasks)
            await somebody_waits(other)
            callers.scopes[1].cancel()

    assert door.sizes == [4]
    made = [outcome and outcome["name"] for outcome in callers.outcomes]
    assert made == ["d", None, "f", "g"]
    # It was in hand already.
    assert sorted(await stored(items)) in (list("abcdefg"), list("abcdfg"))


async def test_a_turn_that_nobody_waits_for_is_cancelled(
    items: Records, door: Door, other: Driver
) -> None:
    callers = Callers(*creating(items, "defg"))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, held(other):
            callers.start(tasks)
            await somebody_waits(other)
            for scope in callers.scopes:
                scope.cancel()
            await nobody_waits(other)
            while door.n_inside:
                await checkpoint()

    assert door.sizes == [4]
    assert callers.outcomes == [None] * 4
    assert await stored(items) == list("abc")
    assert (await items.create(name="d"))["name"] == "d"


@postgres
async def test_a_write_of_many_fails_for_all_of_them_with_its_connection(
    items: Records, door: Door, other: Driver
) -> None:
    callers = Callers(*creating(items, "defg"))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, held(other):
            callers.start(tasks)
            await cut_whoever_waits(other)

    assert door.sizes == [4]
    kinds: list[type] = [type(outcome) for outcome in callers.outcomes]
    assert kinds == [ConnectionLostError] * 4
    assert await stored(items) == list("abc")


@postgres
async def test_what_waits_behind_a_lost_connection_gets_another_one(
    items: Records, door: Door, other: Driver
) -> None:
    """Rows of other columns are another statement of the same turn."""
    callers = Callers(
        *creating(items, "def"),
        partial(items.create, id=77, name="g"),
        partial(items.create, id=78, name="h"),
    )
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, held(other):
            callers.start(tasks)
            await cut_whoever_waits(other)

    assert door.sizes == [5]
    kinds: list[type] = [type(outcome) for outcome in callers.outcomes]
    lost = [ConnectionLostError, ConnectionLostError, ConnectionLostError, dict, dict]
    # On Trio, tasks that start at once come in any order.
    assert kinds in (lost, [dict] * 3 + [ConnectionLostError] * 2)


@postgres
@pytest.mark.parametrize("n_cuts", [1, 2])
async def test_a_read_of_many_is_done_again_once(
    n_cuts: int, items: Records, door: Door, other: Driver
) -> None:
    await items.read(1)
    door.sizes.clear()
    callers = Callers(*(partial(items.read, n) for n in (1, 2, 3, 2)))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, held(other):
            callers.start(tasks)
            for _ in range(n_cuts):
                await cut_whoever_waits(other)

    assert door.sizes == [4]
    if n_cuts == 1:
        assert [outcome["name"] for outcome in callers.outcomes] == list("abcb")
    else:
        kinds: list[type] = [type(outcome) for outcome in callers.outcomes]
        assert kinds == [ConnectionLostError] * 4
