"""Lanes: whose message it is, so that one sender's flood is not everybody's.

Rules of this file
* What a lane stands for, a tenant or a user, is the host's to say: actors only compare.
* Mailboxes and workers are shared by lanes by themselves. What a lane may have in
  several mailboxes together is the business of an `Admission`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, final

from ..messages import Envelope

__all__ = ["Admission", "Lanes"]


class Admission(Protocol):
    """Lets messages into mailboxes, as many and as often as each lane may.

    A message that is let in carries a `Ticket`, by which it is told when an actor
    begins with it and when it is resolved.
    """

    @property
    def is_limited(self) -> bool:
        """Whether anything is limited at all; if not, nothing else is asked."""
        ...

    def admit_nowait(self, envelope: Envelope) -> bool:
        """Let a message in; False if its sender is to wait.

        Raises:
            DataFlowError: It is refused.
        """
        ...

    async def admit(self, envelope: Envelope) -> None:
        """Let a message in as soon as may be; if cancelled, it is not in.

        Raises:
            DataFlowError: It is refused.
        """
        ...

    def withdraw(self, envelope: Envelope) -> None:
        """Take back what was let in and reached no actor."""
        ...


@final
class Lanes:
    """Tells the messages of a mailbox apart, and how their lanes share it.

    A mailbox with lanes is served in turns between them, by their weights; each may
    hold as much of it as the others, and the last worker that is free works for a lane
    that has none. Within a lane messages keep their order.

    Attributes:
        key: Returns the lane of a message, the same one for as long as it waits. It is
            called for each message and must not raise.
        weight: Returns how much of the turns a lane gets, as against others, more
            than 0; None if all get the same.
        admission: Lets messages into this and other mailboxes, or None.
    """

    __slots__ = ("admission", "key", "weight")

    def __init__(
        self,
        key: Callable[[Envelope], Hashable],
        *,
        weight: Callable[[Hashable], float] | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.key = key
        self.weight = weight
        self.admission = admission
