"""The engine: what runs nodes on one event loop.

It owns the actor system and, below it, the pools. Actors and pools are made with
their first message. Shutdown: the actors drain and stop first, the pools close
last, the bridge to the clients after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Self, final

import anyio
from anyio import AsyncContextManagerMixin

from ..actors import ActorRef, ActorSystem, Lanes, NewSignal, Snapshot
from ..drivers import Bridge, Driver, PoolStatistics, Sharing, connect, open_bridge
from ..errors import ClosedError
from ..models import Model
from ._actor_pool import ActorPool
from ._database import Database
from ._function import FunctionActor, FunctionNode
from ._node import Node
from ._place import Place
from .model import ModelNode
from .raw import SqlNode
from .streams import Channels
from .tenants import Desk, current_tenant, lane_of

__all__ = ["Engine"]

_SHUTDOWN_GRACE_S = 4.0
"""Longest orderly shutdown, in seconds; the background host allows 5."""


@final
class Engine(AsyncContextManagerMixin):
    """Runs nodes of any number of databases on the event loop that entered it.

    Args:
        is_shared: Whether it is the one in the background, for callers of every
            event loop.
        shutdown_grace_s: Longest orderly shutdown, in seconds.
    """

    def __init__(
        self,
        *,
        is_shared: bool = False,
        shutdown_grace_s: float = _SHUTDOWN_GRACE_S,
    ) -> None:
        self.is_shared = is_shared
        self._grace_s = shutdown_grace_s
        self._system: ActorSystem
        self._bridge: Bridge
        self._functions: ActorPool
        self._places: dict[Database, Place] = {}
        self._refs: dict[Node, tuple[ActorRef, Database]] = {}
        self._numbers = count(1)
        self._is_open = False

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with open_bridge() as self._bridge:
            try:
                new_signal = self._bridge.new_signal
                system = ActorSystem(
                    shutdown_grace_s=self._grace_s, new_signal=new_signal
                )
                async with system as self._system:
                    self._functions = _function_pool(system, new_signal)
                    self._is_open = True
                    yield self
                    # A stream that nobody reads on would take the whole grace.
                    for place in self._places.values():
                        place.channels.close()
            finally:
                self._is_open = False
                self._refs.clear()
                for place in tuple(self._places.values()):
                    await self._close(place)

    async def _close(self, place: Place) -> None:
        """Close the pool of a place and forget the place."""
        try:
            await place.driver.aclose()
        finally:
            place.desk.close()
            self._places.pop(place.database, None)
            place.database.let_go(self)

    # -- nodes -------------------------------------------------------------------

    def ref_nowait(self, node: Node) -> ActorRef | None:
        """Return the address of the node's actor, or None if `ref` must be awaited."""
        # The class is final; asking an abstract one costs 0.4 µs.
        if type(node) is FunctionNode:
            return self._functions.ref
        known = self._refs.get(node)
        if known is None or known[1].is_closed:
            return None
        return known[0]

    async def ref(self, node: Node) -> ActorRef:
        """Return the address of the node's actor; make it if there is none.

        It never waits. It is asynchronous because other hosts may have to.

        Raises:
            ClosedError: The engine has stopped, or the node's database is closed.
            MemoryDatabaseError: The database is in the memory of another engine.
        """
        known = self.ref_nowait(node)
        if known is not None:
            return known
        if not isinstance(node, ModelNode | SqlNode):
            msg = f"an engine runs nodes of models, SQL and functions, not {node!r}"
            raise TypeError(msg)
        place = self._place(node.database)
        ref = place.address(node)  # pyright: ignore[reportUnknownArgumentType]  # of plans
        self._refs[node] = ref, place.database
        return ref

    # -- databases ---------------------------------------------------------------

    def _place(self, database: Database) -> Place:
        if not self._is_open:
            name = "the engine"
            raise ClosedError(name)
        database.check_open()
        place = self._places.get(database)
        if place is None:
            place = self._places[database] = self._open(database)
        return place

    def _open(self, database: Database) -> Place:
        database.hold(self)
        try:
            driver = connect(
                database.url,
                self._bridge,
                pool_size=database.pool_size,
                echo=database.echo,
                sharing=Sharing(current_tenant, database.tenants.weight),
            )
            supervisor = self._system.supervisor(f"database-{next(self._numbers)}")
        except BaseException:
            database.let_go(self)
            raise
        new_signal, post = self._bridge.new_signal, self._bridge.poster()
        desk = Desk(database.tenants, supervisor.path, new_signal, post)
        return Place(
            database,
            driver,
            supervisor,
            Channels(post),
            desk=desk,
            new_signal=new_signal,
        )

    async def prepare(self, database: Database, model: Model) -> None:
        """See to it now, not with the first message, that a table is there.

        Raises:
            DriverError: The database refused, or could not be reached.
        """
        await self._place(database).prepare(model)

    def driver(self, database: Database) -> Driver:
        """Return the engine's connections to a database; none is made yet.

        Raises:
            ClosedError: The engine has stopped, or the database is closed.
            MemoryDatabaseError: The database is in the memory of another engine.
        """
        return self._place(database).driver

    def connect(self, database: Database, options: Mapping[str, str]) -> Driver:
        """Return other connections to a database, for the caller to close.

        Args:
            database: Which.
            options: Said in place of those of its URL.

        Raises:
            ClosedError: The engine has stopped, or the database is closed.
        """
        self._place(database)
        url = replace(database.url, options=options)
        return connect(
            url, self._bridge, pool_size=database.pool_size, echo=database.echo
        )

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
            place.channels.close()
            await self._system.stop(place.supervisor)
            await self._close(place)

    # -- introspection -----------------------------------------------------------

    def tree(self) -> Snapshot:
        """Return what the actors look like now, from the root down."""
        return self._system.tree()

    def waiting(self, database: Database) -> dict[str, int]:
        """Return how many calls of each tenant wait, wherever; of others under ''."""
        place = self._places.get(database)
        if place is None:
            return {}
        found = Counter(place.waiting())
        path = place.supervisor.path
        for each in self._system.tree().children:
            for actor in each.children if each.path == path else ():
                found.update(actor.lanes)
        return dict(found)

    def pool(self, database: Database) -> PoolStatistics | None:
        """Return the numbers of a database's pool, None before its first use."""
        place = self._places.get(database)
        return None if place is None else place.driver.statistics()


def _function_pool(system: ActorSystem, new_signal: NewSignal) -> ActorPool:
    supervisor = system.supervisor("functions")

    def spawn(number: int) -> ActorRef:
        return supervisor.spawn(FunctionActor, f"function-{number}")

    return ActorPool(
        spawn, path=supervisor.path, new_signal=new_signal, lanes=Lanes(lane_of(None))
    )
