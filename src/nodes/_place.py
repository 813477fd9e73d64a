"""A database in an engine: its pool, its supervisor, the actors below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, final

import anyio

from ..actors import ActorRef, Interceptor, SupervisorRef
from ..audit import ensure_audit
from ..drivers import Driver
from ..messages import Envelope
from ..models import Model
from ..row_security import check_off
from ..sql import POSTGRESQL
from ._actor_pool import ActorPool
from ._database import Database
from .limits import Desk, Pace
from .model import BULK_MAILBOX, BulkActor, BulkNode, ModelNode, NodeActor, Triggers
from .raw import SqlActor, SqlNode
from .streams import STREAM_MAILBOX, Channels, StreamActor, StreamNode

__all__ = ["Place"]


_MAILBOX: Final = 512
"""Messages that wait for a node before their senders do.

Each sender that waits costs a wake-up more: with 64 places, a read by one of 500
concurrent callers took 39 µs, with 512 it took 23.
"""


@final
class Place:
    """What an engine has of one database.

    Args:
        database: Which.
        driver: The engine's connections to it.
        supervisor: Under which its actors live.
        channels: The streams that are being read.
        desk: Where calls of tenants are let in.
        layers: Layers around its actors, inside those of the database.
    """

    def __init__(
        self,
        database: Database,
        driver: Driver,
        supervisor: SupervisorRef,
        channels: Channels,
        *,
        desk: Desk,
        layers: Sequence[Interceptor] = (),
    ) -> None:
        self.database = database
        self.driver = driver
        self.supervisor = supervisor
        self.channels = channels
        self.desk = desk
        self.layers = tuple(layers)
        self._interceptors = (*database.interceptors, *layers)
        self._ready: dict[Model, int] = {}
        self._lock = anyio.Lock()
        self._triggers = Triggers(driver, schema=database.schema)
        self._names: Counter[str] = Counter()
        self._pools: list[ActorPool] = []

    async def prepare(self, model: Model) -> None:
        """See to it once that the table of *model* is there, and related ones.

        If cancelled or if it fails, the next call does it again; so does the first one
        after another model was declared, which may be related.
        """
        prepare, generation = self.database.prepare, model.generation
        is_audited = any(each.audit != "off" for each in model.connected)
        has_tenants = any(each.tenant_field for each in model.connected)
        if self._ready.get(model) == generation:
            return
        if prepare is None and not (is_audited or has_tenants):
            return
        async with self._lock:
            if self._ready.get(model) != generation:
                wall = self.database.row_security
                if wall is not None:
                    await wall.check_role(self.driver)
                if prepare is not None:
                    await prepare(self.driver, model)
                # Of related models too: a deletion may cascade.
                for each in model.connected if is_audited else ():
                    if each.audit != "off":
                        may_create = prepare is not None
                        await ensure_audit(self.driver, each, may_create=may_create)
                await self._see_to_walls(model, has_tenants=has_tenants)
                self._ready[model] = generation

    async def _see_to_walls(self, model: Model, *, has_tenants: bool) -> None:
        """See that policies are there if they are wanted, and else are not.

        Where they are not wanted they would show no row, and nobody would know why.
        """
        wall, may_create = self.database.row_security, self.database.prepare is not None
        if wall is not None:
            await wall.ensure(self.driver, model, may_create=may_create)
        elif has_tenants and self.driver.dialect is POSTGRESQL:
            for each in model.connected:
                await check_off(self.driver, each)

    def address(self, node: ModelNode[Any] | SqlNode) -> ActorRef:
        """Make what serves *node* and return its address."""
        self._names[node.name] += 1
        number = self._names[node.name]
        # A model that was declared again has nodes of the same names.
        name = node.name if number == 1 else f"{node.name}-{number}"
        if isinstance(node, SqlNode):
            return self._pool(name)
        prepare = partial(self.prepare, node.model)
        tenant = self.database.tenant
        lanes = self.desk.lanes(has_tenants=node.model.has_tenants, tenant=tenant)
        if isinstance(node, BulkNode):
            pace = partial(self._pace, lanes.key)
            return self.supervisor.spawn(
                partial(BulkActor, node, self.driver, prepare, self._triggers, pace),
                name,
                mailbox_size=BULK_MAILBOX,
                interceptors=self._interceptors,
                lanes=lanes,
            )
        if isinstance(node, StreamNode):
            return self.supervisor.spawn(
                partial(StreamActor, node, self.driver, prepare, self.channels),
                name,
                mailbox_size=STREAM_MAILBOX,
                interceptors=self._interceptors,
                lanes=lanes,
            )
        return self.supervisor.spawn(
            partial(NodeActor, node, self.driver, prepare, self._triggers),
            name,
            mailbox_size=_MAILBOX,
            interceptors=self._interceptors,
            lanes=lanes,
        )

    def _pace(
        self, lane: Callable[[Envelope], Hashable], envelope: Envelope
    ) -> AbstractContextManager[Pace]:
        return self.desk.pace(lane(envelope))

    def waiting(self) -> dict[str, int]:
        """Return how many calls of each tenant wait for raw SQL."""
        found = Counter[str]()
        for pool in self._pools:
            for tenant, count in pool.waiting().items():
                found["" if tenant is None else str(tenant)] += count
        return dict(found)

    def _pool(self, name: str) -> ActorRef:
        """Return the address of as many actors as there may be connections.

        Statements of users take as long as they take: none waits for another.
        """

        def spawn(number: int) -> ActorRef:
            return self.supervisor.spawn(
                partial(SqlActor, self.driver, self.database.row_security),
                f"{name}-{number}",
                interceptors=self._interceptors,
            )

        path = f"{self.supervisor.path}/{name}"
        pool = ActorPool(
            spawn,
            path=path,
            limit=self.database.pool_size,
            new_signal=self.desk.new_signal,
            lanes=self.desk.lanes(has_tenants=False, tenant=self.database.tenant),
        )
        self._pools.append(pool)
        return pool.ref
