"""What a DataFlow does for its protection: who acts, and by whose leave."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final

from ..drivers import DatabaseUrl
from ..errors import TenantMismatchError
from ..messages import CrossTenant, Scope, acting, plain_context
from ..nodes import sender
from ..protection import Override
from ..sql import SQLITE

__all__ = ["act", "connection_name", "pass_by", "seconds"]

_PORT: Final = 5432
"""Source: PostgreSQL, libpq, `PGPORT`."""


def connection_name(url: DatabaseUrl) -> str:
    """Return what rules call a database: no user, no password, no options."""
    if url.dialect is SQLITE:
        return url.database
    name = url.database or url.user or ""
    return f"{url.host or 'localhost'}:{url.port or _PORT}/{name}"


@contextmanager
def act(
    principal: str | None,
    tenant: str | None,
    context: Mapping[str, Any],
    waivers: tuple[Override, ...] = (),
    cross_tenant: CrossTenant | None = None,
) -> Generator[None]:
    """Let what is sent inside be sent for somebody; what is not said stays.

    Who acts for a tenant acts for no other one, and not for all of them.

    Raises:
        TypeError: The context holds more than plain values.
        TenantMismatchError: It acts for another tenant already.
    """
    outer = sender()
    if tenant is not None and outer.tenant not in (None, tenant):
        owner, place = "a block", "tenant"
        raise TenantMismatchError(owner, place)
    scope = Scope(
        principal=principal or outer.principal,
        tenant=tenant or outer.tenant,
        context={**outer.context, **plain_context(context)},
        waivers=(*outer.waivers, *waivers),
        pins=outer.pins,
        cross_tenant=None if tenant else cross_tenant or outer.cross_tenant,
    )
    token = acting.set(scope)
    try:
        yield
    finally:
        acting.reset(token)


@asynccontextmanager
async def pass_by(override: Override) -> AsyncGenerator[Override]:
    """Let what is sent inside pass by some rules, and nothing sent afterwards."""
    try:
        with act(None, None, {}, (override,)):
            yield override
    finally:
        override.is_over = True


def seconds(time: float | timedelta) -> float:
    """Return a length of time in seconds."""
    return time.total_seconds() if isinstance(time, timedelta) else time
