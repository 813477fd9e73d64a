"""Calls about the register of tenants, by who looks after all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...errors import TenantScopeError
from ...messages import acting
from ...nodes import Database, Engine, Host
from ...tenancy import Register
from .._hosting import Hosting

__all__ = ["RegisteredTenants", "engine_of"]

T = TypeVar("T")


class RegisteredTenants:
    """The tenants of a database, as far as they are written down."""

    _database: Database
    _hosting: Hosting

    async def _call(self, function: Callable[[Engine, Register], Awaitable[T]]) -> T:
        """Call *function* with an engine, and the register.

        Raises:
            TenantScopeError: The code works for one tenant.
        """
        _refuse_inside()
        return await self._hosting.call(self._with_register, function)

    async def _with_register(
        self, host: Host, function: Callable[[Engine, Register], Awaitable[T]]
    ) -> T:
        engine = engine_of(host)
        driver = engine.driver(self._database)
        return await function(engine, Register(driver, self._database.audit_key))


def engine_of(host: Host) -> Engine:
    """Return *host*, which is an engine."""
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host


def _refuse_inside() -> None:
    """Refuse whoever works for a tenant.

    Raises:
        TenantScopeError: The code does.
    """
    scope = acting.get()
    if scope is not None and scope.tenant is not None:
        owner = "db.tenants"
        problem = "what works for one tenant does not get at the others"
        raise TenantScopeError(owner, problem)
