"""For which tenant a message is, as far as can be told before a node looks at it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Final

from ...actors import Turn
from ...messages import Envelope, Request
from ...models import TENANT

__all__ = ["lane_of", "tenant_of_turn"]

_SEVERAL: Final = object()
"""Lane of what is done for several tenants at once: it goes before the next of each."""

_named: Final = attrgetter("tenant")


def lane_of(
    *, has_tenants: bool, tenant: str | None = None
) -> Callable[[Envelope], Hashable]:
    """Return what tells for whom the messages of a node are.

    Args:
        has_tenants: Whether its rows have tenants.
        tenant: For whom all of them are; None if that is not fixed.
    """
    if tenant is not None:
        return lambda _: tenant
    if not has_tenants:
        return _named

    return _tenant_of


def _tenant_of(envelope: Envelope) -> Hashable:
    if envelope.tenant is not None:
        return envelope.tenant
    message = envelope.message
    # What is no name is refused later, by the node.
    given = message.parameters.get(TENANT) if type(message) is Request else None
    return given if isinstance(given, str) else None


def tenant_of_turn(turn: Turn | None) -> Hashable:
    """Return for whom a turn is; None if it is for nobody."""
    if turn is None:
        return None
    tenants = {_tenant_of(envelope) for envelope in turn.taken}
    return tenants.pop() if len(tenants) == 1 else _SEVERAL
