"""The records of a stream, for whoever reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self, final

import anyio

from ...drivers import GRACE_S
from ...errors import ClosedError
from .._node import Host
from ._channel import STREAM, Batch, Channel

__all__ = ["Call", "RecordStream"]

Open = Callable[[Channel], Awaitable[object]]
"""Asks for the stream, and waits for its first batch."""


class Call(Protocol):
    """Calls a function on the event loop that serves this one."""

    def __call__(
        self, function: Callable[[Host, Channel], Awaitable[Any]], channel: Channel, /
    ) -> Awaitable[Any]:
        """Return what the function returns."""
        ...


@final
class RecordStream(AsyncIterator[dict[str, Any]]):
    """An iterator over records, in order; nothing is asked for before the first.

    It holds a connection from then on, until it was read to the end, closed, cancelled
    or dropped: a loop that is left by ``break`` lets go of it at once, unless somebody
    keeps the iterator; then use ``async with`` or `aclose`. One task reads it.

    If cancelled while it waits for a record, it is closed, and says so afterwards:
    reading on would leave out what was under way.

    Args:
        open: Asks for the stream.
        call: Calls a function on the event loop that serves this one.
    """

    def __init__(self, open: Open, call: Call) -> None:  # noqa: A002  # its word
        self._channel = Channel()
        self._open = open
        self._call = call
        self._batch: Batch = ()
        self._place = 0
        self._is_begun = False
        self._is_waiting = False
        self._is_over = False
        self._is_cut = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the next record.

        Raises:
            StopAsyncIteration: That was all, or it was closed.
            StreamIdleError: No record was taken for too long.
            ConnectionLostError: The connection was lost; what came before is right.
            ClosedError: The DataFlow was closed, or an earlier wait was cancelled.
            ParameterError: The parameters are not what the stream takes.
            FilterError: The filter or the order cannot be understood.
        """
        while self._place == len(self._batch):
            await self._next_batch()
        record = self._batch[self._place]
        self._place += 1
        self._channel.n_taken += 1
        return record

    async def _next_batch(self) -> None:
        if self._is_over:
            raise StopAsyncIteration
        if self._is_cut:
            raise ClosedError(STREAM)
        if self._is_waiting:
            msg = "one task reads a stream at a time: open another one"
            raise RuntimeError(msg)
        self._is_waiting = True
        try:
            if not self._is_begun:
                self._is_begun = True
                await self._open(self._channel)
            batch = await self._ask(_take)
        except BaseException:
            self._is_cut = True
            self._channel.leave()
            raise
        finally:
            self._is_waiting = False
        if batch is None:
            self._is_over = True
            raise StopAsyncIteration
        self._batch, self._place = batch, 0

    def _ask(
        self, function: Callable[[Host | None, Channel], Awaitable[Any]]
    ) -> Awaitable[Any]:
        channel = self._channel
        if channel.is_here:
            return function(None, channel)
        return self._call(function, channel)

    async def aclose(self) -> None:
        """Let go of the connection, and wait until it is free; idempotent.

        If cancelled, it is free soon all the same.
        """
        if self._is_over:
            return
        self._is_over = True
        self._batch, self._place = (), 0
        if self._is_begun:
            self._channel.leave()
        if self._channel.is_served:
            with anyio.move_on_after(GRACE_S), suppress(ClosedError):
                await self._ask(_see_released)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._is_begun and not self._is_over:
            self._channel.leave()


async def _take(host: Host | None, channel: Channel) -> Batch | None:
    del host
    return await channel.take()


async def _see_released(host: Host | None, channel: Channel) -> None:
    del host
    await channel.released()
