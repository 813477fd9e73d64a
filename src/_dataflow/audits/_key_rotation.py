"""Wrapping the keys of all persons by another key, place by place.

Each thousand keys are a transaction. Where it was stopped, the next run finds those that
are left by the key that wraps them.
"""

from __future__ import annotations

from typing import final

from ...audit import AuditPlace, MasterKeys, SubjectKeys
from ...drivers import Driver
from ...errors import TenantStateError
from ...tenancy import State, Tenant
from .._round import OnTenant
from ._places import AuditPlaces

__all__ = ["KeyRotation"]

_HAVE_KEYS = frozenset({State.ACTIVE, State.SUSPENDED})
_MAY_HAVE_KEYS = (*_HAVE_KEYS, State.IMPORTING, State.CREATING)
"""An import that was stopped behind its commit has them, and nobody finds that out."""


@final
class KeyRotation:
    """Wraps keys by the current one that are wrapped by another.

    Args:
        places: Where there are keys.
        masters: What wraps them.
    """

    def __init__(self, places: AuditPlaces, masters: MasterKeys) -> None:
        self._places = places
        self._masters = masters

    @property
    def are_apart(self) -> bool:
        """Whether each tenant has keys of its own."""
        return self._places.are_apart

    async def of(self, tenant: str | None) -> int:
        """Wrap those in one place; return how many.

        Raises:
            SubjectKeyError: A key is wrapped by one that is not known here.
            TenancyError: There is no such tenant.
        """
        return await self._places.run(tenant, self._rotate)

    async def of_all(self, *, keep_going: bool, on_tenant: OnTenant | None) -> int:
        """Wrap those of the database, and then those of all tenants; return how many.

        Raises:
            SubjectKeyError: One is wrapped by a key that is not known here.
            TenantAuditError: It failed for some tenants, or one is in between.
        """
        if not self.are_apart:
            return await self.of(None)
        tenants = await self._tenants()

        async def rotate(name: str | None) -> int:
            if name is not None and tenants[name].state not in _HAVE_KEYS:
                action = "given keys that are wrapped anew"
                raise TenantStateError(name, tenants[name].state, action)
            return await self.of(name)

        shared, done = await self._places.each(
            *("rotating keys", [*tenants], rotate),
            keep_going=keep_going,
            on_tenant=on_tenant,
        )
        return (shared or 0) + sum(done.values())

    async def _tenants(self) -> dict[str, Tenant]:
        """Return the tenants that may have keys, those at last that are in between."""
        found = await self._places.find(*_MAY_HAVE_KEYS)
        found.sort(key=lambda each: each.state not in _HAVE_KEYS)
        return {each.name: each for each in found}

    async def _rotate(self, driver: Driver, _: AuditPlace) -> int:
        last, n_wrapped = 0, 0
        while True:
            async with driver.acquire() as connection, connection.transaction():
                keys = SubjectKeys(connection, driver.dialect, self._masters)
                done = await keys.wrap_anew(last) if await keys.is_there() else None
            if done is None:
                return n_wrapped
            last, n_wrapped = done[0], n_wrapped + done[1]
