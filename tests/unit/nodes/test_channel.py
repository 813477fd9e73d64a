from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow.errors import ClosedError, StreamIdleError
from dataflow.nodes.streams import Channel, Channels


def post(call: Callable[[], object]) -> None:
    call()


async def test_one_that_was_left_before_it_was_served_is_not_served() -> None:
    channel, n_steps = Channel(), 0
    channel.leave()
    with channel.serving(post):
        await checkpoint()
        n_steps += 1

    assert n_steps == 0
    with pytest.raises(ClosedError):
        await channel.take()


async def test_what_was_put_before_an_error_comes_before_it() -> None:
    channel = Channel()

    async def serve() -> None:
        with channel.serving(post):
            await channel.put([{"id": 1}], "User", 1, last=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await serve()

    assert await channel.take() == [{"id": 1}]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await channel.take()


async def test_who_takes_records_is_not_idle() -> None:
    channel = Channel()
    idle: list[StreamIdleError] = []

    async def serve() -> None:
        try:
            with channel.serving(post):
                for number in range(3):
                    await channel.put([{"id": number}], "User", 0.02, last=False)
        except StreamIdleError as error:
            idle.append(error)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            while not idle:
                # The batch stays where it is, but its records are being taken.
                channel.n_taken += channel.n_taken < 1_000
                await checkpoint()

    assert channel.n_taken == 1_000


def test_after_the_end_no_channel_is_served() -> None:
    channels = Channels(post)
    channels.close()
    with pytest.raises(ClosedError), channels.serving(Channel()):
        pass
