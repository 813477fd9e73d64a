"""A share of the connections of a driver."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

from dataflow.drivers import Bridge, Driver, PoolShare, connect, parse_url
from dataflow.errors import DatabaseUnreachableError


async def test_no_more_connections_are_lent_than_are_its_share(driver: Driver) -> None:
    share = PoolShare(driver, 2)
    assert share.capacity(write=False) == 2
    assert PoolShare(driver, 500).capacity(write=False) == driver.capacity(write=False)

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(share.acquire(write=False))
        with anyio.move_on_after(0.01) as waited:
            await stack.enter_async_context(share.acquire(write=False))
        assert waited.cancelled_caught
        async with driver.acquire(write=False):
            pass  # others are not in the way

    async with share.acquire(write=False), share.acquire(write=False):
        pass


async def test_who_failed_or_was_cancelled_has_given_back(driver: Driver) -> None:
    share = PoolShare(driver, 1)

    with pytest.raises(InterruptedError):
        async with share.acquire(write=False):
            raise InterruptedError
    async with anyio.create_task_group() as tasks:

        async def hold() -> None:
            async with share.acquire(write=False):
                started.set()
                await anyio.sleep_forever()

        started = anyio.Event()
        tasks.start_soon(hold)
        await started.wait()
        tasks.cancel_scope.cancel()

    with anyio.fail_after(10):
        async with share.acquire(write=False):
            pass
    await share.aclose()
    async with driver.acquire(write=False):
        pass  # they are somebody else's


async def test_a_database_that_cannot_be_reached_takes_nothing(bridge: Bridge) -> None:
    driver = connect(parse_url("postgresql://127.0.0.1:1/nothing"), bridge)
    share = PoolShare(driver, 1)

    with anyio.fail_after(30):
        for _ in range(3):
            with pytest.raises(DatabaseUnreachableError):
                async with share.acquire():
                    pass
    await driver.aclose()
