"""What the life cycle of tenants asks of places, besides what nodes ask."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ..drivers import Driver
from ..nodes import Apart
from ..tenancy import Connect

__all__ = ["Places"]


class Places(Apart, Protocol):
    """Where each tenant has tables of its own, and how that is made and deleted."""

    def name(self, tenant: str) -> str:
        """Return what its place is called, without a password."""
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
