"""The actor of a model's node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, final

from ...actors import Actor, Turn
from ...drivers import Driver
from ...errors import ConnectionLostError
from ...sql import table_of
from ._batch import Batch, Job, batched, is_walled
from ._model_node import ModelNode
from ._row_node import RowNode
from .guards import Triggers
from .parameters import settle

__all__ = ["NodeActor"]

TURN: Final = 128
"""Messages that a node for single rows takes at once.

With 500 concurrent callers a create took 35 µs in turns of 64, 30 µs in turns of 128,
and 33 µs in turns of 256, which keep other tasks waiting longer.
"""

SHARED: Final = 64
"""Messages from which on two statements side by side are worth more than one.

With 100 callers, creates, reads and updates were 5 to 20 % faster in halves; with 20, a
create took 45 µs in halves and 38 µs in one statement.
"""


@final
class NodeActor(Actor):
    """Carries out the requests of one node: what waits together is done together.

    A request that is alone is carried out at once. Each keeps its own result and
    error: what one does wrong fails it alone. A batch whose connection is lost
    fails, unless it only reads: then it is done again, once, with another one.

    Args:
        node: What it does.
        driver: Where to.
        prepare: Awaited before the first turn, again after it failed, and once more
            when other models were declared.
        triggers: Knows which writes set off triggers of others.
    """

    def __init__(
        self,
        node: ModelNode[Any],
        driver: Driver,
        prepare: Callable[[], Awaitable[None]],
        triggers: Triggers,
    ) -> None:
        self._triggers = triggers
        self._node = node
        self._driver = driver
        self._prepare = prepare
        self._prepared: int | None = None
        self._is_write = node.operation.is_write
        self._table = table_of(node.model, driver.dialect)
        self.workers = driver.capacity(write=self._is_write)
        if isinstance(node, RowNode):
            self.turn_size = TURN
            if self._table.merges:
                self.share_from = SHARED
        else:
            # Nothing is gained by waiting for each other.
            self.patience_s = 0.0

    async def handle(self, turn: Turn) -> None:
        """Plan every request, then carry out the plans, batch by batch."""
        jobs = self._jobs(turn)
        if not jobs:
            return
        node = self._node
        generation = node.model.generation
        if self._prepared != generation:
            await self._prepare()
            self._prepared = generation
        if self._is_write and any(map(is_walled, jobs)) and await self._sets_off():
            batches = [Batch(node, [job], job[0].terms, walls=True) for job in jobs]
        elif len(jobs) > 1:
            batches = [*batched(node, self._table, jobs)]
        else:
            batches = [Batch(node, jobs, jobs[0][0].terms)]
        again: Batch | None = None
        while batches:
            async with self._driver.acquire(write=self._is_write) as connection:
                while batches:
                    try:
                        # What it was split into takes its place.
                        batches[:1] = await batches[0].run(connection, self._table)
                    except ConnectionLostError as error:
                        if self._is_write or batches[0] is again:
                            batches.pop(0).fail(error)
                        else:
                            again = batches[0]
                        break

    def _sets_off(self) -> Awaitable[bool]:
        """Return whether writes may set off triggers that are not of this library."""
        return self._triggers.reach(self._node.model)

    def _jobs(self, turn: Turn) -> list[Job]:
        """Return what there is to do; bad input fails here, without a connection."""
        node = self._node
        jobs: list[Job] = []
        for envelope in turn.taken:
            if envelope.is_done or envelope.is_abandoned:
                continue
            try:
                parameters = dict(envelope.message.parameters)
                if node.has_views:
                    settle(
                        node.model,
                        envelope,
                        parameters,
                        keeps_tenant=node.keeps_tenant,
                    )
                jobs.append((envelope, node.plan(parameters, node.name)))
            except Exception as error:  # noqa: BLE001  the sender's, not its neighbours'
                envelope.fail(error)
        return jobs
