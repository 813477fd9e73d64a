"""The actor that serves streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, final

from ...actors import Actor, Turn
from ...drivers import Driver
from ...errors import ClosedError, ConnectionLostError, TransactionConflictError
from ...messages import Envelope
from ...sql import guarded, table_of
from ..model import GuardedDriver, settle, view_of
from ._channel import STREAM, Batch, Channels
from ._stream_node import Plan, StreamNode, StreamRequest

__all__ = ["STREAM_MAILBOX", "StreamActor"]

STREAM_MAILBOX: Final = 64
"""Streams that wait for a connection before those who ask for more do."""

_PAGED: Final = 16
"""Streams at once where they hold no connection."""


@final
class StreamActor(Actor):
    """Serves the streams of one model, each by a worker of its own.

    The message is answered with the first batch; the worker goes on until the reader
    has all of it, or is gone. One connection is left for everybody else, so that a
    reader can ask other things between two records.

    Args:
        node: What it reads.
        driver: From where.
        prepare: Awaited before each stream; sees to it once that the table is there.
        channels: Those being read.
    """

    turn_size = 1
    patience_s = 0.0

    def __init__(
        self,
        node: StreamNode,
        driver: Driver,
        prepare: Callable[[], Awaitable[None]],
        channels: Channels,
    ) -> None:
        self._node = node
        self._driver = driver
        self._prepare = prepare
        self._channels = channels
        self._table = table_of(node.model, driver.dialect)
        self.workers = driver.capacity(write=False) - 1 or _PAGED

    async def handle(self, turn: Turn) -> None:
        """Serve each request until its reader is done."""
        for envelope in turn:
            if not envelope.is_abandoned:
                await self._serve(envelope)

    async def _serve(self, envelope: Envelope) -> None:
        request: StreamRequest = envelope.message
        try:
            node, parameters = self._node, dict(request.parameters)
            settle(node.model, envelope, parameters, keeps_tenant=node.keeps_tenant)
            plan = node.plan(parameters, node.name)
            await self._prepare()
            with self._channels.serving(request.channel):
                await self._read(envelope, request, plan)
            # Where it was ended before its first batch; else this is ignored.
            envelope.fail(ClosedError(STREAM))
        except Exception as error:  # noqa: BLE001  the reader's to handle
            envelope.fail(error)

    async def _read(
        self, envelope: Envelope, request: StreamRequest, plan: Plan
    ) -> None:
        channel, name = request.channel, self._node.model.name

        async def put(batch: Batch, *, last: bool) -> None:
            await channel.put(batch, name, plan.idle_s, last=last)
            envelope.reply({})

        driver: Driver = self._driver
        wall, model = self._node.database.row_security, self._node.model
        if wall is not None:
            driver = wall.driver(driver, model, envelope)
        table = view_of(self._table, envelope)
        if envelope.terms is not None:
            driver = GuardedDriver(driver, envelope.terms)
            table = guarded(table, envelope.terms, frozenset())
        read = self._node.read
        try:
            await read(driver, table, plan, put)
        except (ConnectionLostError, TransactionConflictError):
            if not channel.is_fresh:
                raise
            # Like any other read; nobody has seen anything of it yet.
            await read(driver, table, plan, put)
