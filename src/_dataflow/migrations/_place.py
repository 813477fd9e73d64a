"""Where migrations of a DataFlow work: in its database, or in the place of a tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, final

from ...drivers import Driver
from ...models import Model
from ...nodes import Catalogue, Database, Engine, Host
from .._hosting import Hosting

__all__ = ["MigrationPlace", "SharedTables", "TenantTables"]

T = TypeVar("T")


class MigrationPlace(Protocol):
    """Tables that are migrated together.

    Attributes:
        tenant: Whose they are; None if they are everybody's.
        models: What should be there.
    """

    tenant: str | None

    @property
    def models(self) -> tuple[Model, ...]:
        """What should be there."""
        ...

    async def run(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """Call *work* with connections on which plain names mean these tables."""
        ...


@final
class SharedTables:
    """The tables of the database itself.

    Args:
        hosting: Where calls about it run.
        catalogue: The models.
    """

    tenant: str | None = None

    def __init__(self, hosting: Hosting, catalogue: Catalogue) -> None:
        self._hosting = hosting
        self._catalogue = catalogue

    @property
    def models(self) -> tuple[Model, ...]:
        """The models whose tables are not in places of tenants."""
        return tuple(m for m in self._catalogue.models.values() if not m.is_apart)

    async def run(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """Call *work* with connections that reach all rows."""
        return await self._hosting.with_all_rows(work)


@final
class TenantTables:
    """The tables in the place of one tenant.

    Args:
        database: Where the tenant is written down.
        hosting: Where calls about it run.
        catalogue: The models.
        tenant: Which.
    """

    def __init__(
        self, database: Database, hosting: Hosting, catalogue: Catalogue, tenant: str
    ) -> None:
        self.tenant: str | None = tenant
        self._name = tenant
        self._database = database
        self._hosting = hosting
        self._catalogue = catalogue

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of which each tenant has a table."""
        return tuple(m for m in self._catalogue.models.values() if m.is_apart)

    async def run(self, work: Callable[[Driver], Awaitable[T]]) -> T:
        """Call *work* with connections to the tenant's place, closed afterwards."""
        return await self._hosting.call(self._run, work)

    async def _run(self, host: Host, work: Callable[[Driver], Awaitable[T]]) -> T:
        assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
        async with host.alone(self._database, self._name) as driver:
            return await work(driver)
