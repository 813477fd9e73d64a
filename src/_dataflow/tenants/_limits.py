"""What tenants may have, changed and looked at while it holds."""

from __future__ import annotations

from typing import Any

import msgspec

from ...nodes import Database, TenantLimits
from .._hosting import Hosting

__all__ = ["LimitedTenants"]


class LimitedTenants:
    """The tenants of a database, as far as they are limited; ``db.tenants`` is it.

    It may be used from any thread.
    """

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._hosting = hosting

    def limits(self, tenant: str) -> TenantLimits:
        """Return what a tenant may have now.

        Raises:
            TypeError: *tenant* is no name, or what is asked for it returned no limits.
        """
        _check_name(tenant)
        return self._database.limits.of(tenant)

    def limit(
        self,
        tenant: str,
        limits: TenantLimits | None = None,
        **changes: Any,  # noqa: ANN401  # each as its field
    ) -> TenantLimits:
        """Let a tenant have other limits from now on, until the process ends.

        Calls that wait already look again; what was begun goes on.

        Args:
            tenant: Its name.
            limits: Instead of those it has; by default these are changed.
            **changes: Fields of `TenantLimits` with their new values: ``running=2``.

        Returns:
            What it may have now.

        Raises:
            TypeError: *tenant* is no name, or a field is none of `TenantLimits`.
            ValueError: A number makes no sense; nothing was changed.
        """
        limits = limits or self.limits(tenant)
        wrong = changes.keys() - set(TenantLimits.__struct_fields__) | (
            changes.keys() & {"overrides"}
        )
        if wrong:
            known = ", ".join(each for each in _CHANGEABLE)
            msg = f"{min(wrong)!r} is no limit of one tenant: there are {known}"
            raise TypeError(msg)
        if limits.overrides:
            limits = msgspec.structs.replace(limits, overrides={})
        limits = msgspec.structs.replace(limits, **changes)
        self._database.limits.limit(tenant, limits)
        return limits

    def unlimit(self, tenant: str) -> None:
        """Let a tenant have again what ``tenant_limits`` says; a function is asked anew.

        Raises:
            TypeError: *tenant* is no name.
        """
        _check_name(tenant)
        self._database.limits.unlimit(tenant)

    def waiting(self) -> dict[str, int]:
        """Return how many calls of each tenant wait, in mailboxes and outside.

        Those for no tenant are under an empty name. It is what the engine knows that
        was entered on this event loop; nothing elsewhere.
        """
        engine = self._hosting.engines.current()
        return {} if engine is None else engine.waiting(self._database)


_CHANGEABLE = tuple(
    name for name in TenantLimits.__struct_fields__ if name != "overrides"
)


def _check_name(tenant: object) -> None:
    if not isinstance(tenant, str) or not tenant.strip():
        msg = "a tenant is named by a str that is not empty"
        raise TypeError(msg)
