"""The mailbox: a bounded memory channel with many senders and one reader.

Rules of this file
* The messages are in a memory object stream of anyio, used by its ``_nowait``
  halves only. Waiting is done here, on events: a reader that waits is only woken,
  and takes from the stream itself, without waiting in between. So no way of
  cancelling the reader can lose a message, while a task that asyncio's own
  `task.cancel` hits in the stream's `receive` loses what it was just handed.
* Senders wait only while the stream is full, and get their places in order. One
  that is cancelled while it waits knows whether its message is in the stream; with
  the stream's `send` it would not.
* Only tasks of the actor take, and one of them waits.

What the split buys: `receive` begins with a checkpoint, one more round of the event
loop for each message that finds its actor idle. An ask took 21 µs on asyncio and
24 µs on Trio that way, and takes 13 and 15 µs this way (2 cores, CPython 3.11).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from itertools import islice
from typing import final

import anyio

from ..errors import MailboxClosedError, MailboxFullError
from ..messages import Envelope
from ._signal import NewSignal, Signal

__all__ = ["Mailbox", "Overflow"]


class Overflow(StrEnum):
    """What becomes of a message for a full mailbox."""

    BLOCK = "block"
    """The sender waits for a place."""
    REJECT = "reject"
    """The sender gets `MailboxFullError` at once."""
    DROP_NEWEST = "drop_newest"
    """The message itself is dropped."""
    DROP_OLDEST = "drop_oldest"
    """The message that has waited longest is dropped to make a place."""


@final
class Mailbox:
    """A bounded queue of envelopes.

    Args:
        path: Of the actor, for errors.
        capacity: Messages held before the overflow policy applies, at least 1.
        overflow: What to do when full.
        new_signal: Makes what a task waits for.
    """

    __slots__ = (
        "_arrival",
        "_call",
        "_held",
        "_is_closed",
        "_new_signal",
        "_receive",
        "_send",
        "_senders",
        "capacity",
        "overflow",
        "path",
    )

    def __init__(
        self,
        path: str,
        capacity: int,
        overflow: Overflow,
        new_signal: NewSignal = anyio.Event,
    ) -> None:
        if capacity < 1:
            msg = f"a mailbox holds at least 1 message, not {capacity}"
            raise ValueError(msg)
        self.capacity = capacity
        self.overflow = overflow
        self.path = path
        self._send, self._receive = anyio.create_memory_object_stream[Envelope](
            capacity
        )
        self._held = 0
        self._senders: dict[Envelope, Signal] = {}
        self._new_signal = new_signal
        self._arrival: Signal | None = None
        self._call: Callable[[], object] | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return self._held

    @property
    def is_drained(self) -> bool:
        """Whether it is closed and empty."""
        return self._is_closed and not self._held

    def put_nowait(self, envelope: Envelope) -> Envelope | None:
        """Put a message in, or apply the overflow policy.

        Returns:
            The message that was dropped for it, possibly itself; None if none was.

        Raises:
            anyio.WouldBlock: It is full and the policy is to wait.
            MailboxFullError: It is full and the policy is to reject.
        """
        try:
            self._send.send_nowait(envelope)
        except anyio.WouldBlock:
            return self._overflow(envelope)
        self._held += 1
        arrival = self._arrival
        if arrival is not None:
            self._arrival = None
            arrival.set()
        elif self._call is not None:
            call, self._call = self._call, None
            call()
        return None

    def _overflow(self, envelope: Envelope) -> Envelope | None:
        """Apply the policy of a full mailbox to a message for it."""
        if self.overflow is Overflow.BLOCK:
            raise anyio.WouldBlock
        if self.overflow is Overflow.REJECT:
            raise MailboxFullError(self.path)
        if self.overflow is Overflow.DROP_NEWEST:
            return envelope
        oldest = self._receive.receive_nowait()
        self._send.send_nowait(envelope)
        return oldest

    async def put(self, envelope: Envelope) -> None:
        """Wait for a place, after `put_nowait` found none.

        If cancelled while it waits, the message is withdrawn, unless the actor
        took it between the cancellation and this task's next step.

        Raises:
            MailboxClosedError: It was closed meanwhile; the message is not in it.
        """
        self._senders[envelope] = placed = self._new_signal()
        try:
            await placed.wait()
        except BaseException:
            self.discard(envelope)
            raise
        if self._senders.pop(envelope, None) is not None:
            raise MailboxClosedError(self.path)

    def take_nowait(self) -> Envelope | None:
        """Take the message that has waited longest, or None when it is empty."""
        if not self._held:
            return None
        envelope = self._receive.receive_nowait()
        self._held -= 1
        if self._senders:
            self._admit()
        return envelope

    def arrival(self) -> Awaitable[object]:
        """Wait until there may be something to take, or `wake` is called."""
        self._arrival = arrival = self._new_signal()
        return arrival.wait()

    def call_when_behind(self, call: Callable[[], object] | None) -> None:
        """Call *call*, once, with the next message that finds the reader busy."""
        self._call = call

    def wake(self) -> None:
        """Let the waiting reader go on, if there is one."""
        if self._arrival is not None:
            self._arrival.set()
            self._arrival = None

    def discard(self, envelope: Envelope) -> bool:
        """Take a message out wherever it is; False when it is not here."""
        placed = self._senders.pop(envelope, None)
        if placed is not None:
            placed.set()
            return True
        held = self._drain()
        for each in held:
            if each is not envelope:
                self._send.send_nowait(each)
                self._held += 1
        self._admit()
        return envelope in held

    def _drain(self) -> list[Envelope]:
        """Take everything out of the stream, without letting anybody in."""
        n_held, self._held = self._held, 0
        return [self._receive.receive_nowait() for _ in range(n_held)]

    def _admit(self) -> None:
        """Give free places to the senders that wait, in order."""
        free = self.capacity - len(self)
        for envelope in list(islice(self._senders, free)):
            self._send.send_nowait(envelope)
            self._held += 1
            self._senders.pop(envelope).set()

    def close(self) -> None:
        """Refuse what waits for a place; what is in the stream can be taken."""
        self._is_closed = True
        for placed in self._senders.values():
            placed.set()
        self.wake()

    def release(self) -> None:
        """Give the stream back, once all is taken and nothing can come."""
        self._send.close()
        self._receive.close()
