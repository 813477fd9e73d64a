"""For whom the running code acts, when it is about to send."""

from __future__ import annotations

from msgspec.structs import replace

from ..actors import current_turn
from ..messages import Scope, acting

__all__ = ["sender"]


def sender() -> Scope:
    """Return for whom the running code acts.

    A block says so; without one, code that serves a message acts for whoever sent it,
    as far as all messages of its turn agree.
    """
    scope = acting.get()
    if scope is not None:
        return scope
    turn = current_turn.get()
    if turn is None or turn.is_over:
        return Scope()
    found: Scope = turn.agreed("scope") or Scope()
    return replace(
        found, principal=turn.agreed("principal"), tenant=turn.agreed("tenant")
    )
