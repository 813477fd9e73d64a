"""What nodes are told of tenants: who may come in, and where each has its tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...actors import Interceptor
from ...drivers import Bridge, DatabaseUrl, Driver
from ...models import Model

__all__ = ["Apart", "Gate"]


class Gate(Protocol):
    """Who may come in."""

    def layer(self, driver: Driver) -> Interceptor:
        """Return the layer that keeps messages of others away.

        Args:
            driver: The connections to where tenants are written down.
        """
        ...


class Apart(Protocol):
    """Where each tenant has tables of its own, in a place of its own.

    Attributes:
        limit: Places that an engine has open at once, at most.
        pool_size: Connections to one of them, at most.
        has_sql: Whether raw SQL of a tenant can get at nothing but its own.
    """

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
    def outside(self) -> Interceptor:
        """The layer for raw SQL that names the place of a tenant by its URL."""
        ...

    def leads_to(self, url: DatabaseUrl) -> bool:
        """Whether the place of a tenant may be at *url*."""
        ...

    def epoch_nowait(self, tenant: str) -> str | None:
        """Return what tells a tenant from an earlier one of its name.

        None if it was not looked up of late.
        """
        ...

    async def admit(self, driver: Driver, tenant: str) -> str:
        """Do the same, looking it up.

        Args:
            driver: The connections to where tenants are written down.
            tenant: Its name.

        Raises:
            TenancyError: There is no such tenant.
            DriverError: That could not be looked up.
        """
        ...

    def url(self, tenant: str) -> DatabaseUrl:
        """Return where its tables are."""
        ...

    def schema(self, tenant: str) -> str | None:
        """Return the schema of its tables, None where plain names lead to them."""
        ...

    def model(self, model: Model, tenant: str) -> Model:
        """Return *model* as it is for a tenant."""
        ...

    def connect(
        self, base: Driver, tenant: str, bridge: Bridge, *, echo: bool
    ) -> Driver:
        """Return the connections to its place; none is made yet.

        Args:
            base: The connections to where tenants are written down.
            tenant: Its name.
            bridge: Of the event loop.
            echo: Whether to report each statement.
        """
        ...

    def alone(self, tenant: str, connect: Callable[[DatabaseUrl], Driver]) -> Driver:
        """Return connections on which plain names mean the tenant's tables.

        Args:
            tenant: Whose.
            connect: Makes connections; whoever calls this closes them.
        """
        ...

    async def check(self, driver: Driver, tenant: str) -> None:
        """Look whether the place is there, and the tenant's own.

        Raises:
            TenantPlaceError: It is not.
            DriverError: It could not be reached.
        """
        ...
