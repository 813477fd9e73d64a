"""Tasks of several lanes that wait for connections, alone over stubs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import final

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint

from dataflow.drivers import Sharing
from dataflow.drivers._pool import Pool
from dataflow.errors import ClosedError

_lane: ContextVar[str] = ContextVar("_lane", default="")


@final
class Stub:
    """A connection to nothing."""

    def __init__(self) -> None:
        self.is_closed = False

    @property
    def is_clean(self) -> bool:
        return not self.is_closed

    async def clean(self) -> None:
        """There is nothing to clean."""

    async def aclose(self) -> None:
        self.is_closed = True

    def terminate(self) -> None:
        self.is_closed = True


@final
class Shared:
    """A pool, and who had a connection of it, in order."""

    def __init__(self, size: int, weight: float = 1.0) -> None:
        def weights(lane: object) -> float:
            return weight if lane == "a" else 1.0

        sharing = Sharing(_lane.get, str, weights)
        self.pool = Pool("the pool", size, self._connect, sharing)
        self.served: list[str] = []

    async def _connect(self) -> Stub:
        await checkpoint()
        return Stub()

    @asynccontextmanager
    async def use(self, lane: str) -> AsyncGenerator[Stub]:
        _lane.set(lane)
        async with self.pool.lease() as connection:
            self.served.append(lane)
            yield connection

    async def once(self, lane: str) -> None:
        async with self.use(lane):
            await checkpoint()


async def test_who_has_the_only_connection_lets_another_lane_have_it_next() -> None:
    shared = Shared(1)
    async with anyio.create_task_group() as tasks, shared.use("a"):
        for lane in "aaabb":
            tasks.start_soon(shared.once, lane)
            await wait_all_tasks_blocked()

    assert "".join(shared.served) == "ababaa"


async def test_this_is_so_from_one_waiter_to_the_next() -> None:
    shared = Shared(1)

    async def again(lane: str) -> None:
        for _ in range(4):
            await shared.once(lane)

    async with anyio.create_task_group() as tasks, shared.use("a"):
        for lane in "aab":
            tasks.start_soon(again, lane)
        await wait_all_tasks_blocked()

    # As long as both wait, none is served twice in turn.
    head = "".join(shared.served)[: 2 * shared.served.count("b")]
    assert "bb" not in head
    assert head.startswith("ab")
    assert "aaa" not in head


async def test_weights_are_kept_by_those_who_wait() -> None:
    shared = Shared(1, weight=3.0)
    async with anyio.create_task_group() as tasks, shared.use("b"):
        for lane in "aaaaaabb":
            tasks.start_soon(shared.once, lane)
            await wait_all_tasks_blocked()

    assert "".join(shared.served) == "baaabaaab"


@pytest.mark.parametrize("size", [1, 2])
async def test_one_who_gives_up_waiting_leaves_its_turn_to_the_next(size: int) -> None:
    shared = Shared(size)
    scope = anyio.CancelScope()

    async def given_up() -> None:
        with scope:
            await shared.once("b")

    release = anyio.Event()

    async def hold() -> None:
        async with shared.use("a"):
            await release.wait()

    async with anyio.create_task_group() as tasks:
        for _ in range(size):
            tasks.start_soon(hold)
        await wait_all_tasks_blocked()
        tasks.start_soon(given_up)
        await wait_all_tasks_blocked()
        tasks.start_soon(shared.once, "c")
        await wait_all_tasks_blocked()
        assert shared.pool.statistics().waiting == 2
        scope.cancel()
        await wait_all_tasks_blocked()
        assert shared.pool.statistics().waiting == 1
        release.set()

    assert shared.served == [*"a" * size, "c"]
    assert shared.pool.statistics().in_use == 0


@pytest.mark.parametrize("size", [1, 2])
async def test_the_place_of_a_connection_that_died_goes_to_who_waits(
    size: int,
) -> None:
    shared = Shared(size)
    release = anyio.Event()

    async def hold() -> None:
        async with shared.use("a") as connection:
            await release.wait()
            connection.is_closed = True

    async with anyio.create_task_group() as tasks:
        for _ in range(size):
            tasks.start_soon(hold)
        await wait_all_tasks_blocked()
        for lane in "aab":
            tasks.start_soon(shared.once, lane)
            await wait_all_tasks_blocked()
        release.set()

    assert sorted(shared.served) == sorted([*"a" * size, *"aab"])
    assert shared.served.index("b") < len(shared.served) - 1
    assert shared.pool.statistics().open <= size


async def test_a_pool_that_closes_lets_the_waiters_of_all_lanes_go() -> None:
    shared = Shared(1)
    refused: list[str] = []

    async def wait(lane: str) -> None:
        try:
            await shared.once(lane)
        except ClosedError:
            refused.append(lane)

    async with anyio.create_task_group() as tasks, shared.use("a"):
        for lane in "abc":
            tasks.start_soon(wait, lane)
        await wait_all_tasks_blocked()
        tasks.start_soon(shared.pool.aclose)
        await wait_all_tasks_blocked()

    assert sorted(refused) == ["a", "b", "c"]
