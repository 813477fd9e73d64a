"""What all messages of one run have in common."""

from __future__ import annotations

from typing import Self

import msgspec

from ...actors import Turn, current_turn
from ...messages import Envelope

__all__ = ["Heading", "detach"]


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What every envelope of a run carries; see `Envelope` for the fields."""

    run_id: str
    deadline: float
    principal: str | None
    tenant: str | None
    chain: tuple[str, ...] = ()

    def inherit(self) -> Self:
        """Return it with what the message in hand adds, if this is run by a node.

        Its sender waits for the new run: so its chain goes on, its deadline limits,
        and who asks stays the same unless said otherwise.
        """
        turn = current_turn.get()
        if turn is None or turn.is_over:
            return self
        return msgspec.structs.replace(
            self,
            deadline=min(self.deadline, turn.deadline),
            principal=self.principal or turn.agreed("principal"),
            tenant=self.tenant or turn.agreed("tenant"),
            chain=turn.chain,
        )


def detach() -> None:
    """Forget, in this context, what only means something to another host.

    Paths of its actors and times on its clock; who asks and for whom stays.
    """
    turn = current_turn.get()
    if turn is not None:
        principal, tenant = turn.agreed("principal"), turn.agreed("tenant")
        heir = Envelope(message=None, principal=principal, tenant=tenant)
        current_turn.set(Turn("elsewhere", (heir,)))
