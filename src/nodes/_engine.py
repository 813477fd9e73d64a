"""The engine: what runs nodes on one event loop.

It owns the actor system and, below it, the pools. Actors and pools are made with
their first message. Shutdown: the actors drain and stop first, the pools close
last, the bridge to the clients after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from functools import partial
from itertools import count
from typing import Any, Self, final

import anyio
from anyio import AsyncContextManagerMixin

from ..actors import (
    ActorRef,
    ActorSystem,
    Interceptor,
    Lanes,
    NewSignal,
    Snapshot,
    SupervisorRef,
    current_turn,
)
from ..drivers import (
    Bridge,
    DatabaseUrl,
    Driver,
    PoolStatistics,
    Sharing,
    connect,
    open_bridge,
)
from ..errors import ClosedError
from ..models import Model
from ..row_security import reach_of_tenant
from ._actor_pool import ActorPool
from ._database import Database
from ._function import FunctionActor, FunctionNode
from ._lease import Lease, LeasedDriver
from ._node import Node
from ._place import Place
from ._tenant_place import TenantOpener, TenantPlace
from .limits import Desk, lane_of, tenant_of_turn
from .model import ModelNode
from .raw import SqlNode
from .streams import Channels
from .tenants import TenantPlaces, TenantRouter

__all__ = ["Engine"]

_ALONE = 2
"""Connections for a single job: one that writes, and one that reads."""
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
        self._tenant_places: dict[Database, TenantPlaces[TenantPlace]] = {}
        self._numbers = count(1)
        self._is_open = False

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with open_bridge() as self._bridge:
            try:
                bridge = self._bridge
                system = ActorSystem(
                    shutdown_grace_s=self._grace_s,
                    new_signal=bridge.new_signal,
                    new_arrival=bridge.new_arrival,
                )
                async with system as self._system:
                    self._functions = _function_pool(system, bridge.new_signal)
                    self._is_open = True
                    yield self
                    # A stream that nobody reads on would take the whole grace.
                    for place in self._places.values():
                        place.channels.close()
            finally:
                self._is_open = False
                self._refs.clear()
                self._tenant_places.clear()
                for place in tuple(self._places.values()):
                    await self._close(place)

    async def _close(self, place: Place) -> None:
        """Close the pool of a place and forget the place."""
        try:
            await place.driver.aclose()
        finally:
            place.desk.leave(place.supervisor.path)
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
        ref = self._address(place, node)  # pyright: ignore[reportUnknownArgumentType]  # of plans
        self._refs[node] = ref, place.database
        return ref

    def _address(self, place: Place, node: ModelNode[Any] | SqlNode) -> ActorRef:
        apart = place.database.apart
        if apart is None:
            return place.address(node)
        places, new_signal = self._tenants(place.database), self._bridge.new_signal
        if isinstance(node, SqlNode):
            shared = place.address(node)
            return TenantRouter(
                node, places, new_signal, shared=shared, has_sql=apart.has_sql
            ).ref
        if not node.model.is_apart:
            return place.address(node)
        return TenantRouter(node, places, new_signal).ref

    # -- tenants -----------------------------------------------------------------

    def _tenants(self, database: Database) -> TenantPlaces[TenantPlace]:
        """Return the open places of the tenants of a database."""
        base, apart = self._place(database), database.apart
        known = self._tenant_places.get(database)
        if known is None:
            assert apart is not None, "its tenants share tables"  # noqa: S101
            opener = TenantOpener(
                base,
                apart,
                self._bridge,
                partial(self._open_of_tenant, base),
                self.release,
            )
            known = self._tenant_places[database] = TenantPlaces(apart, opener)
        return known

    def _open_of_tenant(
        self,
        base: Place,
        database: Database,
        driver: Driver,
        on_idle: Callable[[], None],
    ) -> Place:
        place = self._made(database, driver, base.layers, base.desk, on_idle)
        self._places[database] = place
        return place

    def using(
        self, database: Database, tenant: str
    ) -> AbstractAsyncContextManager[TenantPlace]:
        """Return a block in which the place of a tenant is open.

        Raises:
            TenancyError: There is no such tenant, or its place is not its own.
            DriverError: It could not be reached.
        """
        return self._tenants(database).using(tenant)

    @asynccontextmanager
    async def alone(self, database: Database, tenant: str) -> AsyncGenerator[Driver]:
        """Give connections of the caller's own to the place of a tenant.

        Plain names mean the tenant's tables there. The place is not closed meanwhile.

        Raises:
            TenancyError: There is no such tenant, or its place is not its own.
            DriverError: It could not be reached.
        """
        async with self.using(database, tenant):
            assert database.apart is not None, "it has places"  # noqa: S101
            driver = database.apart.alone(tenant, self.connect_to)
            try:
                yield driver
            finally:
                with anyio.CancelScope(shield=True):
                    await driver.aclose()

    async def close_tenant(self, database: Database, tenant: str) -> None:
        """Close the place of a tenant when it is no longer used; idempotent."""
        if database in self._tenant_places:
            await self._tenant_places[database].close(tenant)

    def open_tenants(self, database: Database) -> tuple[str, ...]:
        """Return the tenants whose places are open, the one used last at the end."""
        known = self._tenant_places.get(database)
        return () if known is None else known.open

    # -- databases ---------------------------------------------------------------

    def _check_open(self) -> None:
        if not self._is_open:
            name = "the engine"
            raise ClosedError(name)

    def _place(self, database: Database) -> Place:
        self._check_open()
        database.check_open()
        place = self._places.get(database)
        if place is None:
            place = self._places[database] = self._open(database)
        return place

    def _open(self, database: Database) -> Place:
        weight = database.limits.weight
        driver = connect(
            database.url,
            self._bridge,
            pool_size=database.pool_size,
            echo=database.echo,
            sharing=Sharing(current_turn.get, tenant_of_turn, weight),
        )
        gate = database.gate
        layers = () if gate is None else (gate.layer(driver),)
        bridge = self._bridge
        desk = Desk(database.limits, bridge.new_signal, bridge.poster())
        return self._made(database, driver, layers, desk)

    def _made(
        self,
        database: Database,
        driver: Driver,
        layers: Sequence[Interceptor],
        desk: Desk,
        on_idle: Callable[[], None] | None = None,
    ) -> Place:
        database.hold(self)
        try:
            supervisor = self._system.supervisor(f"database-{next(self._numbers)}")
        except BaseException:
            database.let_go(self)
            raise
        desk.enter(supervisor.path)
        channels = Channels(self._bridge.poster(), on_idle)
        return Place(database, driver, supervisor, channels, desk=desk, layers=layers)

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

    def connect_to(
        self, url: DatabaseUrl, *, pool_size: int = _ALONE, echo: bool = False
    ) -> Driver:
        """Return connections of the caller's own, who closes them; none is made yet.

        Raises:
            ClosedError: The engine has stopped.
        """
        self._check_open()
        return connect(url, self._bridge, pool_size=pool_size, echo=echo)

    @asynccontextmanager
    async def lease(
        self,
        database: Database,
        models: Sequence[Model],
        *,
        write: bool = True,
        tenant: str | None = None,
    ) -> AsyncGenerator[Lease]:
        """Return a block with one transaction, in which nodes of *models* work.

        It commits at its end. An error, or a cancellation before the commit began,
        undoes all that was done in it. What is sent goes through every layer.

        Args:
            database: Where.
            models: Whose tables are seen to first, outside of the transaction.
            write: False promises only to read; on PostgreSQL everything is as of one
                moment then, as it is on SQLite.
            tenant: Whose rows, where each tenant has tables of its own, or policies of
                the database tell them apart; the sender has to act for it.

        Raises:
            TenancyError: There is no such tenant, or its place is not its own.
            DriverError: The database refused, or could not be reached.
        """
        async with AsyncExitStack() as stack:
            place, at = self._place(database), None
            if tenant is not None and database.apart is not None:
                home = await stack.enter_async_context(self.using(database, tenant))
                place, at = home.place, home
            for model in models:
                await place.prepare(model if at is None else at.model(model))
            connection = await stack.enter_async_context(
                place.driver.acquire(write=write)
            )
            wall = database.row_security
            reach = None if wall is None or tenant is None else reach_of_tenant(tenant)
            opening = None if reach is None else reach.opening
            await stack.enter_async_context(
                connection.transaction()
                if write
                else connection.snapshot(opening=opening)
            )
            if write and reach is not None:
                await connection.run((reach.statement,))
            supervisor = await stack.enter_async_context(self._team(place))
            driver = LeasedDriver(place.driver, connection)
            yield Lease(driver, supervisor, database, at)

    @asynccontextmanager
    async def _team(self, place: Place) -> AsyncGenerator[SupervisorRef]:
        """Give a supervisor for the actors of one transaction.

        They have stopped when it ends: nothing may run on its connection then.
        """
        supervisor = place.supervisor.supervisor(f"lease-{next(self._numbers)}")
        try:
            yield supervisor
        finally:
            with anyio.CancelScope(shield=True):
                await supervisor.stop()

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
            tenants = self._tenant_places.pop(database, None)
            if tenants is not None:
                await tenants.aclose()
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
        found = Counter(place.desk.waiting())
        # Those of the database, and those that its tenants have beside it.
        its = [each for each in self._places.values() if each.desk is place.desk]
        for each in its:
            found.update(each.waiting())
        paths = {each.supervisor.path for each in its}
        for branch in self._system.tree().children:
            for actor in branch.children if branch.path in paths else ():
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
        spawn,
        path=supervisor.path,
        new_signal=new_signal,
        lanes=Lanes(lane_of(has_tenants=False)),
    )
