"""The actor of a model's node."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, final

from ...actors import Actor, Turn
from ...drivers import Connection, Driver
from ...errors import ConnectionLostError
from ...messages import Envelope
from ...sql import table_of
from ._model_node import ModelNode

__all__ = ["NodeActor"]

_Plans = deque[tuple[Envelope, Any]]


@final
class NodeActor(Actor):
    """Carries out the requests of one node, a turn on one connection.

    Each request keeps its own result and error: what one does wrong fails it
    alone. A turn whose connection is lost goes on with another one; the request
    in hand fails, unless it only reads: then it is done again, once.

    Args:
        node: What it does.
        driver: Where to.
        prepare: Awaited before the first turn, and again after it failed.
    """

    turn_size = 64

    def __init__(
        self,
        node: ModelNode[Any],
        driver: Driver,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        self._node = node
        self._driver = driver
        self._prepare = prepare
        self._is_prepared = False
        self._is_write = node.operation.is_write
        self._table = table_of(node.model, driver.dialect)

    async def handle(self, turn: Turn) -> None:
        """Plan every request, then carry out the plans on one connection."""
        plans = self._plans(turn)
        if plans and not self._is_prepared:
            await self._prepare()
            self._is_prepared = True
        again: Envelope | None = None
        while plans:
            async with self._driver.acquire(write=self._is_write) as connection:
                lost = await self._serve(connection, plans)
            if lost is None:
                continue
            envelope, error = lost
            if self._is_write or envelope is again:
                envelope.fail(error)
                plans.popleft()
            else:
                again = envelope

    def _plans(self, turn: Turn) -> _Plans:
        """Return what there is to do; bad input fails here, without a connection."""
        node = self._node
        plans: _Plans = deque()
        for envelope in turn.taken:
            if envelope.is_done or envelope.is_abandoned:
                continue
            try:
                parameters = dict(envelope.message.parameters)
                plans.append((envelope, node.plan(parameters, node.name)))
            except Exception as error:  # noqa: BLE001  the sender's, not its neighbours'
                envelope.fail(error)
        return plans

    async def _serve(
        self, connection: Connection, plans: _Plans
    ) -> tuple[Envelope, ConnectionLostError] | None:
        """Work off *plans*; return the one whose connection was lost, with the loss."""
        while plans:
            envelope, plan = plans[0]
            if not envelope.is_abandoned:
                try:
                    reply = await self._node.perform(connection, self._table, plan)
                except ConnectionLostError as error:
                    return envelope, error
                except Exception as error:  # noqa: BLE001  as above
                    envelope.fail(error)
                else:
                    envelope.reply(reply)
            plans.popleft()
        return None
