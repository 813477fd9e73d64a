"""The bridge: asyncio functions on both event loops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import anyio
import pytest

from dataflow.drivers import open_bridge
from dataflow.errors import MissingExtraError


async def add(left: int, right: int) -> int:
    await asyncio.sleep(0)
    return left + right


async def fail() -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def test_a_call_returns_what_the_function_returns() -> None:
    async with open_bridge() as bridge:
        assert await bridge.call(add, 1, 2) == 3
        assert await bridge.finish(pytest.fail, add, 1, 2) == 3
        with pytest.raises(ZeroDivisionError):
            await bridge.call(fail)
        with pytest.raises(ZeroDivisionError):
            await bridge.finish(pytest.fail, fail)


async def test_any_task_may_call() -> None:
    results: list[int] = []

    async def call(number: int) -> None:
        results.append(await bridge.call(add, number, number))

    async with open_bridge() as bridge, anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(call, number)

    assert sorted(results) == [0, 2, 4]


async def test_an_exception_of_the_block_passes_as_it_is() -> None:
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as caught:
        async with open_bridge():
            raise error

    assert caught.value is error


async def test_a_cancellation_passes_through_the_block() -> None:
    with anyio.move_on_after(0.01) as scope:
        async with open_bridge() as bridge:
            await bridge.call(asyncio.sleep, 60)

    assert scope.cancelled_caught


async def test_a_function_that_overhears_a_cancellation_is_told_again() -> None:
    heard = 0
    scope = anyio.CancelScope()

    async def overhear() -> None:
        nonlocal heard
        asyncio.get_running_loop().call_soon(scope.cancel)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1
                if heard == 3:
                    raise

    async with open_bridge() as bridge:
        with anyio.fail_after(20), scope:
            await bridge.call(overhear)

    assert heard == 3
    assert scope.cancelled_caught


async def test_a_result_wins_over_a_cancellation_it_overheard() -> None:
    scope = anyio.CancelScope()

    async def overhear() -> str:
        asyncio.get_running_loop().call_soon(scope.cancel)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "done"
        return "not cancelled"

    result = ""
    async with open_bridge() as bridge:
        with scope:
            result = await bridge.call(overhear)

    assert result == "done"


async def test_an_asyncio_cancellation_from_within_stays_one() -> None:
    async def cancel() -> None:
        raise asyncio.CancelledError

    async with open_bridge() as bridge:
        with pytest.raises(asyncio.CancelledError):
            await bridge.call(cancel)
        with pytest.raises(asyncio.CancelledError):
            await bridge.finish(pytest.fail, cancel)


async def test_what_must_finish_finishes_when_cancelled() -> None:
    finished: list[str] = []

    scope = anyio.CancelScope()

    async def work() -> None:
        scope.cancel()
        await asyncio.sleep(0.05)
        finished.append("work")

    async with open_bridge() as bridge:
        with scope:
            await bridge.finish(pytest.fail, work)

    assert finished == ["work"]
    assert scope.cancelled_caught


async def test_what_does_not_finish_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataflow.drivers._bridge.GRACE_S", 0.02)
    released: list[str] = []

    async def work() -> None:
        await stop.wait()
        raise ZeroDivisionError  # nobody sees it, and asyncio does not report it

    def give_up() -> None:
        released.append("work")
        stop.set()

    async with open_bridge() as bridge:
        stop = await bridge.call(make_event)
        with anyio.move_on_after(0.01) as scope:
            await bridge.finish(give_up, work)

    assert released == ["work"]
    assert scope.cancelled_caught


async def make_event() -> asyncio.Event:
    return asyncio.Event()


async def test_trio_needs_its_extra(
    monkeypatch: pytest.MonkeyPatch, anyio_backend_name: str
) -> None:
    monkeypatch.setitem(sys.modules, "trio_asyncio", None)
    bridge: Any = open_bridge()
    if anyio_backend_name == "asyncio":
        async with bridge:
            return
    with pytest.raises(MissingExtraError, match=r"dataflow-actors\[trio\]"):
        await bridge.__aenter__()


def test_clients_are_imported_when_they_are_needed() -> None:
    code = """
import sys
import dataflow.drivers
clients = "aiosqlite asyncpg re2 sqlite3 trio trio_asyncio".split()
print([name for name in clients if name in sys.modules])
"""

    assert output_of(code) == "[]"


def test_asyncio_stays_itself_after_trio_has_run() -> None:
    code = """
import asyncio, trio
from dataflow.drivers import open_bridge

async def bridged():
    async with open_bridge():
        pass

async def name():
    return type(asyncio.get_running_loop()).__module__

before = asyncio.run(name())
trio.run(bridged)
after = asyncio.run(name())
print(before == after, after.partition(".")[0])
"""

    assert output_of(code) == "True asyncio"


def output_of(code: str) -> str:
    done = subprocess.run(  # noqa: S603  # our own code
        # trio-asyncio asks Python 3.12 and later for what these call deprecated.
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
