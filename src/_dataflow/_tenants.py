"""Blocks that say for which tenant the code inside works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from ..actors import current_turn
from ..errors import TenantMismatchError, TenantScopeError
from ..messages import CrossTenant, Scope, acting

__all__ = ["across_tenants", "as_tenant"]


@contextmanager
def as_tenant(name: str) -> Iterator[None]:
    """Let the code inside work for one tenant.

    Raises:
        TypeError: *name* is no text, or empty.
        TenantMismatchError: It works for another one already.
    """
    if not _is_text(name):
        msg = "a tenant is named by a str that is not empty"
        raise TypeError(msg)
    if _tenant() not in (None, name):
        owner, place = "a tenant block", "the name"
        raise TenantMismatchError(owner, place)
    scope = acting.get() or Scope()
    token = acting.set(replace(scope, tenant=name, cross_tenant=None))
    try:
        yield
    finally:
        acting.reset(token)


@contextmanager
def across_tenants(reason: str, *, may_write: bool) -> Iterator[None]:
    """Let the code inside work with the rows of all tenants.

    Raises:
        TypeError: There is no *reason*.
        TenantScopeError: It works for one tenant.
    """
    if not _is_text(reason):
        msg = "cross_tenant wants a reason, which is logged with each access"
        raise TypeError(msg)
    if _tenant() is not None:
        owner = "cross_tenant"
        problem = "what works for one tenant does not get at the others: leave it first"
        raise TenantScopeError(owner, problem)
    scope = acting.get() or Scope()
    cross = CrossTenant(reason=reason, may_write=may_write)
    token = acting.set(replace(scope, cross_tenant=cross))
    try:
        yield
    finally:
        acting.reset(token)


def _is_text(given: object) -> bool:
    return isinstance(given, str) and bool(given.strip())


def _tenant() -> str | None:
    """Return the tenant that the running code works for."""
    scope, turn = acting.get(), current_turn.get()
    if scope is not None and scope.tenant is not None:
        return scope.tenant
    if turn is None or turn.is_over:
        return None
    tenant: str | None = turn.agreed("tenant")
    return tenant
