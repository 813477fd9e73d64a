"""Dead letters: messages that nobody handled, kept where someone can look."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, final

import msgspec

from ..telemetry import get_log

__all__ = ["DeadLetter", "DeadLetters", "Reason"]

_log = get_log("dataflow.actors")


class Reason(StrEnum):
    """Why a message became a dead letter."""

    DROPPED = "dropped"
    """The mailbox was full."""
    EXPIRED = "expired"
    """Its deadline passed in the mailbox, and nobody waits for it."""
    FAILED = "failed"
    """The handler failed, and nobody waits for it."""
    POISON = "poison"
    """It crashed its actor each time."""
    STOPPED = "stopped"
    """The actor stopped for good, and nobody waits for it."""


class DeadLetter(msgspec.Struct, frozen=True, eq=False):
    """A message that was not handled.

    Attributes:
        message: What the actor should have received.
        actor: Path of the actor.
        reason: Why it was not handled.
        error: What its sender was told, or would have been.
        attempts: How often it was delivered.
    """

    message: Any
    actor: str
    reason: Reason
    error: BaseException
    attempts: int


@final
class DeadLetters:
    """The latest dead letters, oldest first.

    Args:
        capacity: Letters kept; older ones are forgotten but stay in `total`.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._subscribers: list[Callable[[DeadLetter], None]] = []
        self._total = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._letters))

    def __len__(self) -> int:
        return len(self._letters)

    @property
    def total(self) -> int:
        """Dead letters since the start, those forgotten included."""
        return self._total

    def subscribe(self, callback: Callable[[DeadLetter], None]) -> Callable[[], None]:
        """Call *callback* with each dead letter from now on.

        It runs in the middle of the runtime's work and must not block. What it
        raises is logged and goes no further.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def record(self, letter: DeadLetter) -> None:
        """Keep a letter and tell the subscribers."""
        self._letters.append(letter)
        self._total += 1
        _log.warning(
            "message_dead_lettered",
            actor=letter.actor,
            reason=letter.reason.value,
            error=type(letter.error).__name__,
            attempts=letter.attempts,
        )
        for callback in tuple(self._subscribers):
            try:
                callback(letter)
            except Exception as error:  # noqa: BLE001  a listener must not harm actors
                _log.error("dead_letter_subscriber_failed", error=type(error).__name__)
