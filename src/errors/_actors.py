"""What can happen to a message on its way through actors."""

from __future__ import annotations

from ._base import DataFlowError

__all__ = [
    "ActorError",
    "ActorRestartedError",
    "DeadlineExceededError",
    "DeadlockError",
    "MailboxClosedError",
    "MailboxFullError",
    "MessageDroppedError",
    "PoisonMessageError",
    "RestartLimitError",
]


class ActorError(DataFlowError):
    """Base of what can happen to a message on its way through actors.

    Attributes:
        actor: Path of the actor.
    """

    def __init__(self, actor: str) -> None:
        super().__init__(actor)
        self.actor = actor


class MailboxFullError(ActorError):
    """The mailbox is full and its policy is to reject."""

    def __str__(self) -> str:
        return f"the mailbox of {self.actor} is full: send less, or wait with `tell`"


class MailboxClosedError(ActorError):
    """The actor has stopped and takes no more messages."""

    def __str__(self) -> str:
        return f"{self.actor} has stopped: start it again, or send elsewhere"


class MessageDroppedError(ActorError):
    """The message was dropped by the mailbox's overflow policy."""

    def __str__(self) -> str:
        return f"{self.actor} dropped the message, its mailbox was full: send it again"


class ActorRestartedError(ActorError):
    """The actor crashed with this message in hand; its outcome is unknown.

    Only messages that are idempotent, or have an idempotency key, are retried.
    """

    def __str__(self) -> str:
        return (
            f"{self.actor} crashed while it worked on the message: look whether it "
            "took effect, then send it again"
        )


class PoisonMessageError(ActorError):
    """The message crashed its actor each time and went to the dead letters."""

    def __init__(self, actor: str, attempts: int) -> None:
        super().__init__(actor)
        self.args = (actor, attempts)
        self.attempts = attempts

    def __str__(self) -> str:
        return (
            f"the message crashed {self.actor} {self.attempts} times and is now a dead "
            "letter: mend it before you send it again"
        )


class DeadlockError(ActorError):
    """An actor asked one that is waiting for it; the answer could never come.

    Attributes:
        chain: Paths of the actors, in the order they asked.
    """

    def __init__(self, actor: str, chain: tuple[str, ...]) -> None:
        super().__init__(actor)
        self.args = (actor, chain)
        self.chain = chain

    def __str__(self) -> str:
        return (
            f"{' -> '.join((*self.chain, self.actor))} would wait for itself: use "
            "`tell`, or split the actor"
        )


class DeadlineExceededError(ActorError, TimeoutError):
    """The deadline passed before the work was done."""

    def __str__(self) -> str:
        return f"the deadline passed before {self.actor} was done: allow more time"


class RestartLimitError(ActorError):
    """A supervisor gave up: too many restarts within its window.

    Attributes:
        restarts: How many restarts there were.
        window_s: Length of the window, in seconds.
    """

    def __init__(self, actor: str, restarts: int, window_s: float) -> None:
        super().__init__(actor)
        self.args = (actor, restarts, window_s)
        self.restarts = restarts
        self.window_s = window_s

    def __str__(self) -> str:
        return (
            f"{self.actor} was restarted {self.restarts} times within {self.window_s} s "
            "and crashed again: the cause is in __cause__"
        )
