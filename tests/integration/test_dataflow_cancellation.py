"""A caller that is cancelled loses nothing, and leaks nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow import DataFlow
from dataflow.actors import Handler, Turn
from dataflow.drivers import PoolStatistics


class Steps:
    """Lets a test wait until a message has reached its actor."""

    def __init__(self) -> None:
        self.begun = anyio.Event()

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        self.begun.set()
        await call_next(turn)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def db(database_url: str, steps: Steps) -> AsyncIterator[DataFlow]:
    db = DataFlow(database_url, pool_size=2, interceptors=[steps])

    @db.model
    class User:
        name: str

    async with db:
        await db.initialize()
        yield db
    db.close()


def pool(db: DataFlow) -> PoolStatistics:
    engine = db._hosting.engines.current()
    assert engine is not None
    statistics = engine.pool(db._database)
    assert statistics is not None
    return statistics


async def settled(db: DataFlow) -> PoolStatistics:
    """Return the statistics of the pool once all connections are back in it."""
    with anyio.fail_after(20):
        while pool(db).in_use:
            await checkpoint()
    return pool(db)


def create(db: DataFlow) -> Coroutine[Any, Any, object]:
    flow = db.workflow()
    flow.add_node("UserCreateNode", "it", {"name": "a"})
    return db.run(flow.build())


@pytest.mark.parametrize("moment", range(6))
@pytest.mark.parametrize("call", ["workflow", "direct", "bulk"])
async def test_a_cancelled_write_happens_or_not_and_the_next_one_works(
    call: str, moment: int, db: DataFlow, steps: Steps
) -> None:
    rows = db["User"]
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            if call == "workflow":
                tasks.start_soon(create, db)
            elif call == "direct":
                tasks.start_soon(lambda: rows.create(name="a"))
            else:
                tasks.start_soon(lambda: rows.bulk_create([{"name": "a"}] * 3))
            await steps.begun.wait()
            for _ in range(moment):
                await checkpoint()
            tasks.cancel_scope.cancel()
        there = await rows.count()
        created = await rows.create(name="next")

    assert there in ((0, 3) if call == "bulk" else (0, 1))
    assert await rows.count() == there + 1
    assert created["name"] == "next"
    assert (await settled(db)).waiting == 0


async def test_one_of_many_that_is_cancelled_costs_the_others_nothing(
    db: DataFlow, steps: Steps
) -> None:
    rows = db["User"]
    names: list[str] = []

    async def keep(name: str) -> None:
        names.append((await rows.create(name=name))["name"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            scopes: list[anyio.CancelScope] = []

            async def give_up(name: str) -> None:
                with anyio.CancelScope() as scope:
                    scopes.append(scope)
                    await rows.create(name=name)

            for number in range(30):
                tasks.start_soon(keep if number % 2 else give_up, f"{number}")
            await steps.begun.wait()
            for scope in scopes:
                scope.cancel()

    stored = {record["name"] async for record in rows.stream()}
    assert sorted(names, key=int) == [f"{number}" for number in range(1, 30, 2)]
    assert stored >= set(names)
    assert (await settled(db)).waiting == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancel_loses_nothing_that_was_answered(db: DataFlow) -> None:
    rows = db["User"]
    made: list[int] = []

    async def keep() -> None:
        made.append((await rows.create(name="kept"))["id"])

    with anyio.fail_after(20):
        for moment in range(20):
            cancelled = asyncio.create_task(keep())
            others = [asyncio.create_task(keep()) for _ in range(3)]
            for _ in range(moment):
                await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(*others)
            await asyncio.gather(cancelled, return_exceptions=True)

    stored = {record["id"] async for record in rows.stream()}
    assert len(made) >= 60
    assert stored >= set(made)
    assert len(stored) <= 80
    assert (await settled(db)).waiting == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_timeout_around_a_run_leaves_it_usable(db: DataFlow) -> None:
    with anyio.fail_after(20):
        for delay in (0, 0.0005, 0.002):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_twice(db), timeout=delay)
        await create(db)

    assert await db["User"].count() >= 1
    assert (await settled(db)).waiting == 0


async def _twice(db: DataFlow) -> None:
    await create(db)
    await asyncio.Event().wait()
