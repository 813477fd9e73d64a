"""A turn: the burst of messages that an actor works on at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, final

from ..errors import ActorError
from ..messages import Envelope

__all__ = ["MessageAbandonedError", "Turn", "UnansweredError", "current_turn"]


class UnansweredError(ActorError):
    """A handler returned without an answer to the message."""

    def __str__(self) -> str:
        return (
            f"{self.actor} returned without an answer to the message: its `handle` "
            "must reply to, or fail, every envelope of the turn"
        )


class MessageAbandonedError(ActorError):
    """The sender gave the message up before the actor was done with it."""

    def __str__(self) -> str:
        return (
            f"the sender of a message to {self.actor} gave it up: nothing is to be done"
        )


@final
class Turn:
    """The messages an actor took from its mailbox at once, in their order.

    An interceptor may `refuse` single messages and pass the rest on; a handler
    resolves each envelope by its `reply` or `fail`. What is left unresolved when
    the handler returns fails with `UnansweredError`.

    Attributes:
        actor: Path of the actor.
        taken: Every envelope of the turn, resolved or not; not to be changed.
        crashes: How often these messages crashed the actor before.
        is_over: The handler has returned; nobody waits for this turn any more.
    """

    __slots__ = ("actor", "crashes", "is_over", "taken")

    def __init__(
        self, actor: str, envelopes: Sequence[Envelope], crashes: int = 0
    ) -> None:
        self.actor = actor
        self.taken = envelopes
        self.crashes = crashes
        self.is_over = False

    @property
    def envelopes(self) -> list[Envelope]:
        """The envelopes that are unresolved still, as a new list."""
        return [each for each in self.taken if not each.is_done]

    def __iter__(self) -> Iterator[Envelope]:
        return iter(self.envelopes)

    def __len__(self) -> int:
        return len(self.envelopes)

    def __bool__(self) -> bool:
        # Each layer asks, and `any` of a generator takes 0.4 us, not 0.1.
        for each in self.taken:  # noqa: SIM110
            if not each.is_done:
                return True
        return False

    def refuse(self, envelope: Envelope, error: BaseException) -> None:
        """Fail one message of the turn; the rest may go on."""
        envelope.fail(error)

    def fail(self, error: BaseException) -> None:
        """Fail every message that is unresolved still."""
        for envelope in self.taken:
            envelope.fail(error)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for any message of the turn."""
        return any(not (each.is_done or each.is_abandoned) for each in self.taken)

    def agreed(self, trait: str) -> Any:  # noqa: ANN401  # as the trait
        """Return what all its messages have as *trait*; None where they differ.

        Args:
            trait: ``run_id``, ``trace_id``, ``principal``, ``tenant`` or ``scope``.
        """
        values = {getattr(each, trait) for each in self.taken}
        return values.pop() if len(values) == 1 else None

    @property
    def chain(self) -> tuple[str, ...]:
        """Paths of the actors that wait for this turn, its own actor last."""
        if len(self.taken) == 1:
            return (*self.taken[0].chain, self.actor)
        paths = dict.fromkeys(path for each in self for path in each.chain)
        return (*paths, self.actor)

    @property
    def deadline(self) -> float:
        """Time after which nobody waits for any message of the turn."""
        return max((each.deadline for each in self), default=math.inf)


current_turn: ContextVar[Turn | None] = ContextVar("current_turn", default=None)
"""The turn that the running code belongs to, or None outside of actors."""
