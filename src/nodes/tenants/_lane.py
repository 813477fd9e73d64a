"""For which tenant a message is, as far as can be told before a node looks at it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Final

from ...actors import current_turn
from ...messages import Envelope

__all__ = ["current_tenant", "lane_of"]

_SEVERAL: Final = object()
"""Lane of what is done for several tenants at once: it goes before the next of each."""

_named: Final = attrgetter("tenant")


def lane_of(field: str | None) -> Callable[[Envelope], Hashable]:
    """Return what tells for whom the messages of a node are.

    Args:
        field: In which its rows have their tenant; None where they have none.
    """
    if field is None:
        return _named

    def given(envelope: Envelope) -> Hashable:
        if envelope.tenant is not None:
            return envelope.tenant
        # What is no name is refused later, by the node.
        tenant = envelope.message.parameters.get(field)
        return tenant if isinstance(tenant, str) else None

    return given


def current_tenant() -> Hashable:
    """Return for whom the running handler works; None if it is for nobody."""
    turn = current_turn.get()
    if turn is None:
        return None
    tenants = {envelope.tenant for envelope in turn.taken}
    return tenants.pop() if len(tenants) == 1 else _SEVERAL
