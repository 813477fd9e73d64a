from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from dataflow.drivers import Bridge, open_bridge
from dataflow.drivers._signal import FutureSignal, TrioSignal


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with open_bridge() as bridge:
        yield bridge


async def test_a_signal_lets_the_waiting_task_go_on(bridge: Bridge) -> None:
    signal = bridge.new_signal()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_wait, signal)
            await anyio.wait_all_tasks_blocked()
            signal.set()


async def test_who_waits_for_a_signal_that_is_set_does_not_wait(
    bridge: Bridge,
) -> None:
    signal = bridge.new_signal()
    signal.set()
    signal.set()
    with anyio.fail_after(20):
        await signal.wait()


async def test_a_signal_nobody_waits_for_any_more_is_set_in_peace(
    bridge: Bridge,
) -> None:
    signal = bridge.new_signal()
    with anyio.move_on_after(2) as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_wait, signal)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    signal.set()

    assert scope.cancelled_caught


async def _wait(signal: FutureSignal | TrioSignal) -> None:
    await signal.wait()
