"""Blocks that say for which tenant the code inside works."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ..errors import TenantScopeError
from ..messages import CrossTenant, acting
from ._protection import act

__all__ = ["across_tenants", "as_tenant"]


@contextmanager
def as_tenant(name: str) -> Generator[None]:
    """Let the code inside work for one tenant.

    Raises:
        TypeError: *name* is no text, or empty.
        TenantMismatchError: It works for another one already.
    """
    if not _is_text(name):
        msg = "a tenant is named by a str that is not empty"
        raise TypeError(msg)
    with act(None, name, {}):
        yield


@contextmanager
def across_tenants(reason: str, *, may_write: bool) -> Generator[None]:
    """Let the code inside work with the rows of all tenants.

    Raises:
        TypeError: There is no *reason*.
        TenantScopeError: It works for one tenant.
    """
    if not _is_text(reason):
        msg = "cross_tenant wants a reason, which is logged with each access"
        raise TypeError(msg)
    cross = CrossTenant(reason=reason, may_write=may_write)
    with act(None, None, {}, cross_tenant=cross):
        scope = acting.get()
        if scope is not None and scope.tenant is not None:
            owner = "cross_tenant"
            problem = "what works for one tenant does not get at the others"
            raise TenantScopeError(owner, problem)
        yield


def _is_text(given: object) -> bool:
    return isinstance(given, str) and bool(given.strip())
