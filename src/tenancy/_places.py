"""What each kind of place for tenants says of itself; see also `nodes.tenants.Apart`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from ..drivers import Bridge, DatabaseUrl, Driver
from ..models import Model
from ._raw_sql import RawSqlTenancy

__all__ = ["Connect", "Places"]

Connect = Callable[[DatabaseUrl], Driver]
"""Makes connections for a single job; whoever calls it closes them."""


class Places(Protocol):
    """Where each tenant has tables of its own."""

    @property
    def limit(self) -> int:
        """Places that an engine has open at once, at most."""
        ...

    @property
    def pool_size(self) -> int:
        """Connections to one of them, at most."""
        ...

    @property
    def has_sql(self) -> bool:
        """Whether raw SQL of a tenant can get at nothing but its own."""
        ...

    @property
    def outside(self) -> RawSqlTenancy:
        """The layer for raw SQL that names the place of a tenant by its URL."""
        ...

    def leads_to(self, url: DatabaseUrl) -> bool:
        """Whether the place of a tenant may be at *url*."""
        ...

    def epoch_nowait(self, tenant: str) -> str | None:
        """Return what tells a tenant from an earlier one of its name, if known."""
        ...

    async def admit(self, driver: Driver, tenant: str) -> str:
        """Do the same, looking it up."""
        ...

    def url(self, tenant: str) -> DatabaseUrl:
        """Return where its tables are."""
        ...

    def name(self, tenant: str) -> str:
        """Return what its place is called, without a password."""
        ...

    def model(self, model: Model, tenant: str) -> Model:
        """Return *model* as it is for a tenant."""
        ...

    def connect(
        self, base: Driver, tenant: str, bridge: Bridge, *, echo: bool
    ) -> Driver:
        """Return the connections to its place; none is made yet."""
        ...

    def connect_alone(self, tenant: str, connect: Connect) -> Driver:
        """Return connections on which plain names mean the tenant's; to be closed."""
        ...

    async def check(self, driver: Driver, tenant: str) -> None:
        """Look whether the place is there, and the tenant's own."""
        ...

    async def create(
        self, base: Driver, tenant: str, connect: Connect, *, may_adopt: bool
    ) -> None:
        """Make the place of a tenant; harmless if it is there.

        Raises:
            TenantPlaceError: It is another tenant's, or holds something else.
        """
        ...

    async def drop(
        self, base: Driver, tenant: str, connect: Connect, tables: Collection[str]
    ) -> None:
        """Delete the place of a tenant with all in it; harmless if it is gone.

        If cancelled or killed, the next call goes on.

        Raises:
            TenantPlaceError: It is another tenant's.
        """
        ...
