"""The place of one tenant in an engine, and how one is opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, final

import anyio

from ..actors import ActorRef
from ..drivers import Bridge, Driver
from ..models import Model
from ._database import Database
from ._place import Place
from .model import ModelNode
from .raw import SqlNode
from .tenants import Apart

__all__ = ["TenantOpener", "TenantPlace"]


@final
class TenantPlace:
    """The actors of one tenant, for the nodes of everybody.

    Args:
        tenant: Whose.
        place: What an engine has of it.
        apart: What models are like there.

    Attributes:
        place: What an engine has of it.
    """

    def __init__(self, tenant: str, place: Place, apart: Apart) -> None:
        self.tenant = tenant
        self.place = place
        self._apart = apart
        self._refs: dict[object, ActorRef] = {}

    @property
    def database(self) -> Database:
        """The tenant's."""
        return self.place.database

    @property
    def driver(self) -> Driver:
        """The engine's connections to it."""
        return self.place.driver

    @property
    def is_idle(self) -> bool:
        """Whether no stream reads from it."""
        return self.place.channels.is_idle

    def model(self, model: Model) -> Model:
        """Return *model* as it is here."""
        return self._apart.model(model, self.tenant)

    async def prepare(self, model: Model) -> None:
        """See to it that the table of *model* is there; see `Place.prepare`."""
        await self.place.prepare(self.model(model))

    def ref(self, node: ModelNode[Any] | SqlNode) -> ActorRef:
        """Return the address of the actor that serves a node here."""
        known = self._refs.get(node)
        if known is None:
            here = self.at(node) if isinstance(node, ModelNode) else node
            known = self._refs[node] = self.place.address(here)
        return known

    def at(self, node: ModelNode[Any]) -> ModelNode[Any]:
        """Return the node that does here what *node* does."""
        return node.at(self.database, self.model(node.model))


class OpenPlace(Protocol):
    """Makes what an engine has of a database."""

    def __call__(
        self,
        database: Database,
        driver: Driver,
        on_idle: Callable[[], None],
    ) -> Place:
        """Make it; the driver is its own from now on."""
        ...


@final
class TenantOpener:
    """Opens and closes the places of the tenants of one database, on one engine.

    Args:
        base: What the engine has of the database where tenants are written down.
        apart: Where each tenant has tables of its own.
        bridge: Of the event loop.
        open_place: Makes what the engine has of a database.
        release: Stops its actors and closes its connections.
    """

    def __init__(
        self,
        base: Place,
        apart: Apart,
        bridge: Bridge,
        open_place: OpenPlace,
        release: Callable[[Database], Awaitable[None]],
    ) -> None:
        self._base = base
        self._apart = apart
        self._bridge = bridge
        self._open_place = open_place
        self._release = release

    async def admit(self, tenant: str) -> str:
        """Return the epoch of a tenant, see `Apart.admit`."""
        known = self._apart.epoch_nowait(tenant)
        if known is not None:
            return known
        return await self._apart.admit(self._base.driver, tenant)

    async def open(self, tenant: str, on_idle: Callable[[], None]) -> TenantPlace:
        """Open a place; if that fails, or is cancelled, nothing is left of it."""
        base, apart = self._base.database, self._apart
        base.check_open()
        database = base.of_tenant(
            apart.url(tenant), tenant, apart.pool_size, apart.schema(tenant)
        )
        driver = apart.connect(
            self._base.driver, tenant, self._bridge, echo=database.echo
        )
        place = self._open_place(database, driver, on_idle)
        try:
            await apart.check(driver, tenant)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._release(database)
            raise
        return TenantPlace(tenant, place, apart)

    async def close(self, place: TenantPlace) -> None:
        """Let it serve what it has, and close it."""
        await self._release(place.database)
