"""The engine: what runs nodes on one event loop.

It owns the actor system and, below it, the pools. Actors and pools are made with
their first message. Shutdown: the actors drain and stop first, the pools close
last, the bridge to the clients after them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self, final

import anyio
from anyio import AsyncContextManagerMixin

from ..actors import ActorRef, ActorSystem, Snapshot, SupervisorRef
from ..drivers import Bridge, Driver, PoolStatistics, connect, open_bridge
from ..errors import ClosedError
from ..models import Model
from ._actor import NodeActor
from ._database import Database
from ._function import FunctionActor, FunctionNode, FunctionPool
from ._model_node import ModelNode
from ._node import Node
from ._sql import SqlActor, SqlNode

__all__ = ["Engine"]

_SHUTDOWN_GRACE_S = 4.0
"""Longest orderly shutdown, in seconds; the background host allows 5."""


@final
class _Place:
    """A database in an engine: its pool, its supervisor, its tables."""

    def __init__(
        self, database: Database, driver: Driver, supervisor: SupervisorRef
    ) -> None:
        self.database = database
        self.driver = driver
        self.supervisor = supervisor
        self._ready: set[Model] = set()
        self._lock = anyio.Lock()

    async def prepare(self, model: Model) -> None:
        """See to it once that the table of *model* is there."""
        prepare = self.database.prepare
        if prepare is None or model in self._ready:
            return
        async with self._lock:
            if model not in self._ready:
                await prepare(self.driver, model)
                self._ready.add(model)


@final
class Engine(AsyncContextManagerMixin):
    """Runs nodes of any number of databases on the event loop that entered it.

    Args:
        shutdown_grace_s: Longest orderly shutdown, in seconds.
    """

    def __init__(self, *, shutdown_grace_s: float = _SHUTDOWN_GRACE_S) -> None:
        self._grace_s = shutdown_grace_s
        self._system: ActorSystem
        self._bridge: Bridge
        self._functions: FunctionPool
        self._places: dict[Database, _Place] = {}
        self._refs: dict[Node, ActorRef] = {}
        self._is_open = False

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with open_bridge() as self._bridge:
            try:
                system = ActorSystem(shutdown_grace_s=self._grace_s)
                async with system as self._system:
                    functions = system.supervisor("functions")
                    self._functions = FunctionPool(
                        lambda number: functions.spawn(
                            FunctionActor, f"function-{number}"
                        )
                    )
                    self._is_open = True
                    yield self
            finally:
                self._is_open = False
                await self._close_pools()

    async def _close_pools(self) -> None:
        for place in reversed(self._places.values()):
            await place.driver.aclose()
        self._places.clear()
        self._refs.clear()

    # -- nodes -------------------------------------------------------------------

    def ref_nowait(self, node: Node) -> ActorRef | None:
        """Return the address of the node's actor, or None if `ref` must be awaited."""
        if isinstance(node, FunctionNode):
            return self._functions.ref
        return self._refs.get(node)

    async def ref(self, node: Node) -> ActorRef:
        """Return the address of the node's actor; make it if there is none.

        Raises:
            ClosedError: The engine has stopped, or the node's database is closed.
        """
        return self.ref_now(node)

    def ref_now(self, node: Node) -> ActorRef:
        """Do what `ref` does; nothing of it waits."""
        known = self.ref_nowait(node)
        if known is not None:
            return known
        if not isinstance(node, ModelNode | SqlNode):
            msg = f"an engine runs nodes of models, SQL and functions, not {node!r}"
            raise TypeError(msg)
        place = self._place(node.database)
        ref = self._spawn(place, node)
        self._refs[node] = ref
        return ref

    def _spawn(self, place: _Place, node: ModelNode | SqlNode) -> ActorRef:
        make: Any
        if isinstance(node, SqlNode):
            make = partial(SqlActor, place.driver)
        else:
            prepare = partial(place.prepare, node.model)
            make = partial(NodeActor, node, place.driver, prepare)
        # A model that was declared again has nodes of the same names.
        taken = {ref.path for ref in self._refs.values()}
        name, number = node.name, 1
        while f"{place.supervisor.path}/{name}" in taken:
            number += 1
            name = f"{node.name}-{number}"
        return place.supervisor.spawn(
            make, name, interceptors=place.database.interceptors
        )

    # -- databases ---------------------------------------------------------------

    def _place(self, database: Database) -> _Place:
        if not self._is_open:
            raise ClosedError("the engine")
        if database.is_closed:
            raise ClosedError(repr(database))
        place = self._places.get(database)
        if place is None:
            driver = connect(
                database.url,
                self._bridge,
                pool_size=database.pool_size,
                echo=database.echo,
            )
            name = f"database-{len(self._places) + 1}"
            place = _Place(database, driver, self._system.supervisor(name))
            self._places[database] = place
        return place

    async def prepare(self, database: Database, model: Model) -> None:
        """See to it now, not with the first message, that a table is there.

        Raises:
            DriverError: The database refused, or could not be reached.
        """
        await self._place(database).prepare(model)

    async def ping(self, database: Database) -> None:
        """Make a connection, unless there is one.

        Raises:
            DriverError: The database could not be reached, or refused.
        """
        async with self._place(database).driver.acquire(write=False):
            pass

    async def release(self, database: Database) -> None:
        """Stop the actors of a database and close its pool; idempotent.

        Messages it has are served first. If cancelled, it is finished all the same.
        """
        place = self._places.get(database)
        if place is None:
            return
        with anyio.CancelScope(shield=True):
            for node in [each for each in self._refs if each.owner is database]:
                del self._refs[node]
            await self._system.stop(place.supervisor)
            await place.driver.aclose()
            self._places.pop(database, None)

    # -- introspection -----------------------------------------------------------

    def tree(self) -> Snapshot:
        """Return what the actors look like now, from the root down."""
        return self._system.tree()

    def pool(self, database: Database) -> PoolStatistics | None:
        """Return the numbers of a database's pool, None before its first use."""
        place = self._places.get(database)
        return None if place is None else place.driver.statistics()
