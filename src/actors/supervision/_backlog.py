"""The backlog of an actor: its messages, across all incarnations.

Rules of this file
* It is the only place that decides what becomes of a message: whether it is
  worth delivering, delivered again, failed, or a dead letter.
* A message whose actor crashed is delivered again only if it is idempotent or
  has a key, before all others and alone, so that one bad message of a turn
  does not take the good ones with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Hashable
from typing import final

import anyio

from ...errors import (
    ActorRestartedError,
    DeadlineExceededError,
    MailboxClosedError,
    MessageDroppedError,
    PoisonMessageError,
)
from ...messages import Envelope
from .._dead_letters import Reason
from .._mailbox import Mailbox
from .._turn import MessageAbandonedError, Turn, UnansweredError
from ._runtime import Runtime

__all__ = ["Backlog"]


@final
class Backlog:
    """What is waiting for an actor, and the counts of what it has done.

    Attributes:
        mailbox: Where messages arrive.
        processed: Messages that the handler was given, the failed ones included.
        failed: Of these, the ones that failed.
        dropped: Messages dropped because the mailbox was full.
        expired: Messages whose deadline passed in the mailbox.
        turns: Turns that began.
    """

    __slots__ = (
        "_again",
        "_path",
        "_runtime",
        "dropped",
        "expired",
        "failed",
        "mailbox",
        "processed",
        "turns",
    )

    def __init__(self, mailbox: Mailbox, runtime: Runtime) -> None:
        self.mailbox = mailbox
        self.processed = self.failed = self.dropped = self.expired = self.turns = 0
        self._path = mailbox.path
        self._runtime = runtime
        self._again: deque[tuple[Envelope, int]] = deque()

    def __len__(self) -> int:
        return len(self.mailbox) + len(self._again)

    def count(self, held_back: Container[Hashable]) -> int:
        """Return how many messages wait, those of some lanes left out."""
        return self.mailbox.count(held_back) + len(self._again)

    @property
    def is_drained(self) -> bool:
        """Whether nothing is left and nothing more can come."""
        return self.mailbox.is_drained and not self._again

    def drop(self, envelope: Envelope) -> None:
        """Account for a message that found no place."""
        self.dropped += 1
        self._bury(envelope, Reason.DROPPED, MessageDroppedError(self._path))

    def withdraw(self, envelope: Envelope) -> None:
        """Take out a message that its sender gave up, if it is here."""
        again = [each for each in self._again if each[0] is not envelope]
        if len(again) < len(self._again):
            self._again = deque(again)
        elif not self.mailbox.discard(envelope):
            return
        envelope.fail(MessageAbandonedError(self._path))

    # -- on the way to the handler --------------------------------------------

    def next_turn(self, size: int, held_back: Container[Hashable] = ()) -> Turn | None:
        """Take what is worth delivering, *size* messages at most.

        Args:
            size: Messages in a turn.
            held_back: Lanes whose messages are left where they are.

        Returns:
            A turn of at least one message, or None when nothing waits.
        """
        while self._again:
            envelope, crashes = self._again.popleft()
            if self._is_wanted(envelope):
                envelope.attempt += 1
                # Layers set them, with each delivery.
                envelope.terms = envelope.judged = None
                self.turns += 1
                return Turn(self._path, (envelope,), crashes)
        take = self.mailbox.take_nowait
        if (arrived := take(held_back)) is None:
            return None
        taken: list[Envelope] = []
        while arrived is not None:
            if self._is_wanted(arrived):
                arrived.attempt += 1
                arrived.terms = arrived.judged = None
                if arrived.ticket is not None:
                    arrived.ticket.begin()
                taken.append(arrived)
            arrived = take(held_back) if len(taken) < size else None
        if not taken:
            return None
        self.turns += 1
        return Turn(self._path, taken)

    def _is_wanted(self, envelope: Envelope) -> bool:
        """Whether a message is worth delivering; if not, it is resolved."""
        if envelope.is_done:
            return False
        if envelope.is_abandoned:
            envelope.fail(MessageAbandonedError(self._path))
            return False
        # The clock costs 0.5 µs, so only messages with a deadline ask for it.
        if envelope.deadline == math.inf or envelope.deadline > anyio.current_time():
            return True
        self.expired += 1
        self._bury(envelope, Reason.EXPIRED, DeadlineExceededError(self._path))
        return False

    # -- on the way back ------------------------------------------------------

    def conclude(self, turn: Turn) -> None:
        """Account for a turn whose handler has returned."""
        turn.is_over = True
        for envelope in turn.taken:
            if not envelope.is_done:
                is_given_up = envelope.is_abandoned
                kind = MessageAbandonedError if is_given_up else UnansweredError
                envelope.fail(kind(self._path))
            if envelope.error is None:
                self.processed += 1
            else:
                self._count(envelope)

    def cut_short(self, turn: Turn, crash: Exception | None) -> None:
        """Account for a turn that ended in the middle.

        Args:
            turn: What was in hand.
            crash: The error that ended it; None when it was interrupted.
        """
        turn.is_over = True
        crashes = turn.crashes if crash is None else turn.crashes + 1
        again: list[tuple[Envelope, int]] = []
        for envelope in turn.taken:
            reason = Reason.FAILED
            if envelope.is_abandoned:
                envelope.fail(MessageAbandonedError(self._path))
            elif not (envelope.is_idempotent or envelope.key is not None):
                envelope.fail(_caused(ActorRestartedError(self._path), crash))
            elif crashes >= self._runtime.poison_after:
                envelope.fail(_caused(PoisonMessageError(self._path, crashes), crash))
                reason = Reason.POISON
            elif not envelope.is_done:
                again.append((envelope, crashes))
                continue
            self._count(envelope, reason)
        self._again.extendleft(reversed(again))

    def _count(self, envelope: Envelope, reason: Reason = Reason.FAILED) -> None:
        """Count a message that the handler is done with."""
        self.processed += 1
        if envelope.error is not None:
            self.failed += 1
            self._bury(envelope, reason, envelope.error)

    def close(self, cause: Exception | None) -> None:
        """Fail whatever is left, the actor is gone for good."""
        self.mailbox.close()
        left = [envelope for envelope, _ in self._again]
        self._again.clear()
        while (envelope := self.mailbox.take_nowait()) is not None:
            left.append(envelope)
        for envelope in left:
            if not envelope.is_done:
                error = _caused(MailboxClosedError(self._path), cause)
                self._bury(envelope, Reason.STOPPED, error)

    def _bury(self, envelope: Envelope, reason: Reason, error: BaseException) -> None:
        """Fail a message for good, and report it if nobody else does."""
        self._runtime.bury(envelope, self._path, reason, error)


def _caused(error: Exception, cause: Exception | None) -> Exception:
    """Return *error* with its cause, as ``raise error from cause`` would make it."""
    error.__cause__ = cause
    return error
