"""The pool alone, over connections that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import final

import anyio
import pytest

from dataflow.drivers._bridge import GRACE_S
from dataflow.drivers._pool import Pool, PoolStatistics
from dataflow.errors import ClosedError, DatabaseUnreachableError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time limits run out soon."""
    monkeypatch.setattr("dataflow.drivers._pool.GRACE_S", 0.02)


@final
class Stub:
    """A connection to nothing."""

    def __init__(self) -> None:
        self.is_closed = False
        self.has_left_something = False
        self.hangs = False

    @property
    def is_clean(self) -> bool:
        return not (self.is_closed or self.has_left_something)

    async def clean(self) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        self.has_left_something = False

    async def aclose(self) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        self.is_closed = True

    def terminate(self) -> None:
        self.is_closed = True


@final
class Server:
    """Makes connections, or refuses."""

    def __init__(self) -> None:
        self.made: list[Stub] = []
        self.refuses = False
        self.answers = anyio.Event()
        self.answers.set()

    async def connect(self) -> Stub:
        await self.answers.wait()
        if self.refuses:
            message = "cannot reach the server"
            raise DatabaseUnreachableError(message)
        self.made.append(Stub())
        return self.made[-1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pool(server: Server) -> Iterator[Pool[Stub]]:
    pool = Pool("the pool", 2, server.connect)
    yield pool
    assert pool.statistics().waiting == 0


async def use(pool: Pool[Stub]) -> None:
    async with pool.lease():
        await anyio.lowlevel.checkpoint()


def numbers(pool: Pool[Stub]) -> tuple[int, int, int, int]:
    now = pool.statistics()
    return now.open, now.idle, now.in_use, now.waiting


async def test_the_last_used_connection_is_used_first(
    pool: Pool[Stub], server: Server
) -> None:
    async with pool.lease() as first, pool.lease() as second:
        pass
    async with pool.lease() as third:
        pass

    assert server.made == [first, second]
    assert third is first
    assert pool.statistics() == PoolStatistics(
        open=2, idle=2, in_use=0, waiting=0, size=2
    )


async def test_a_connection_that_died_idle_is_replaced_silently(
    pool: Pool[Stub], server: Server
) -> None:
    async with pool.lease(), pool.lease():
        pass
    for stub in server.made:
        stub.is_closed = True
    await use(pool)

    assert len(server.made) == 3
    assert numbers(pool) == (1, 1, 0, 0)


async def test_a_connection_that_died_in_use_is_dropped(
    pool: Pool[Stub], server: Server
) -> None:
    async with pool.lease() as connection:
        connection.is_closed = True

    assert numbers(pool) == (0, 0, 0, 0)
    await use(pool)
    assert len(server.made) == 2


async def test_what_a_lease_leaves_is_cleaned(pool: Pool[Stub]) -> None:
    async with pool.lease() as connection:
        connection.has_left_something = True

    assert connection.is_clean
    assert numbers(pool) == (1, 1, 0, 0)


async def test_what_cannot_be_cleaned_in_time_is_cut(
    pool: Pool[Stub], server: Server
) -> None:
    with anyio.CancelScope() as scope:
        async with pool.lease() as connection:
            connection.has_left_something = connection.hangs = True
            scope.cancel()

    assert [stub.is_closed for stub in server.made] == [True]
    assert numbers(pool) == (0, 0, 0, 0)


async def test_a_failed_connect_gives_its_place_back(
    pool: Pool[Stub], server: Server
) -> None:
    server.refuses = True
    for _ in range(3):
        with pytest.raises(DatabaseUnreachableError):
            await use(pool)
    before = numbers(pool)
    server.refuses = False
    await use(pool)

    assert before == (0, 0, 0, 0)
    assert numbers(pool) == (1, 1, 0, 0)


async def test_whoever_waits_tries_when_a_connect_fails(
    pool: Pool[Stub], server: Server
) -> None:
    failures: list[int] = []
    during = (0, 0, 0, 0)

    async def fail(number: int) -> None:
        with pytest.raises(DatabaseUnreachableError):
            await use(pool)
        failures.append(number)

    server.refuses, server.answers = True, anyio.Event()
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(fail, number)
            await anyio.wait_all_tasks_blocked()
        during = numbers(pool)
        server.answers.set()

    assert during == (2, 0, 2, 3)
    assert sorted(failures) == [0, 1, 2, 3, 4]
    assert numbers(pool) == (0, 0, 0, 0)


async def test_a_cancelled_connect_gives_its_place_to_the_next(
    pool: Pool[Stub], server: Server
) -> None:
    served: list[int] = []

    async def serve(scope: anyio.CancelScope, number: int) -> None:
        with scope:
            await use(pool)
            served.append(number)

    scopes = [anyio.CancelScope() for _ in range(4)]
    server.answers = anyio.Event()
    async with anyio.create_task_group() as tasks:
        for number, scope in enumerate(scopes):
            tasks.start_soon(serve, scope, number)
            await anyio.wait_all_tasks_blocked()
        scopes[0].cancel()
        scopes[2].cancel()  # it may just have been given the place
        await anyio.wait_all_tasks_blocked()
        server.answers.set()

    assert sorted(served) == [1, 3]
    assert numbers(pool) == (2, 2, 0, 0)


async def test_a_place_granted_to_a_cancelled_waiter_goes_on(
    pool: Pool[Stub], server: Server
) -> None:
    served: list[int] = []

    async def serve(scope: anyio.CancelScope, number: int) -> None:
        with scope:
            await use(pool)
            served.append(number)

    scopes = [anyio.CancelScope(), anyio.CancelScope()]
    async with anyio.create_task_group() as tasks:
        async with pool.lease() as first, pool.lease():
            for number, scope in enumerate(scopes):
                tasks.start_soon(serve, scope, number)
                await anyio.wait_all_tasks_blocked()
            first.is_closed = True
        # The waiters hold a connection and a place, and have not run since.
        scopes[0].cancel()
        scopes[1].cancel()

    assert numbers(pool)[2:] == (0, 0)
    await use(pool)
    assert pool.statistics().in_use == 0


async def test_closing_closes_idle_connections(
    pool: Pool[Stub], server: Server
) -> None:
    async with pool.lease(), pool.lease():
        pass
    server.made[0].hangs = True  # and is cut, once its time is up
    await pool.aclose()
    await pool.aclose()

    assert [stub.is_closed for stub in server.made] == [True, True]
    assert numbers(pool) == (0, 0, 0, 0)


async def test_closing_ends_the_wait_for_a_connection_being_made(
    pool: Pool[Stub], server: Server
) -> None:
    async def fail() -> None:
        with pytest.raises(ClosedError, match="the pool is closed"):
            await use(pool)

    server.answers = anyio.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(fail)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(pool.aclose)
        await anyio.wait_all_tasks_blocked()
        server.answers.set()

    assert [stub.is_closed for stub in server.made] == [True, True]
    assert numbers(pool) == (0, 0, 0, 0)


async def test_closing_cuts_what_stays_leased(pool: Pool[Stub], server: Server) -> None:
    async with pool.lease() as connection:
        await pool.aclose()
        cut = connection.is_closed
    with pytest.raises(ClosedError):
        await use(pool)

    assert cut
    assert numbers(pool) == (0, 0, 0, 0)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("dies", [True, False])
async def test_a_grant_that_a_cancelled_task_cannot_take_goes_on(
    server: Server, *, dies: bool
) -> None:
    """A task of asyncio can be cancelled between the grant and its next step."""
    pool = Pool("the pool", 1, server.connect)
    async with pool.lease() as connection:
        first = asyncio.create_task(use(pool))
        await anyio.wait_all_tasks_blocked()
        second = asyncio.create_task(use(pool))
        await anyio.wait_all_tasks_blocked()
        connection.is_closed = dies
    first.cancel()
    await asyncio.wait([first, second])

    assert (first.cancelled(), second.cancelled()) == (True, False)
    assert numbers(pool) == (1, 1, 0, 0)


def test_the_grace_is_what_shutdown_can_afford() -> None:
    assert GRACE_S == 2.0
