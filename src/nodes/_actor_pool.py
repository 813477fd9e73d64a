"""Many actors behind one address, one message to an actor.

So a slow message holds up no other, one that nobody waits for any more is cancelled
alone, and functions that live for one run leave nothing behind. When every actor is
busy, senders wait in the order they came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, final

import anyio

from ..actors import ActorRef, NewSignal, Signal
from ..errors import DeadlockError
from ..messages import Envelope

__all__ = ["ActorPool"]


@final
class ActorPool:
    """One address for many actors; its `ref` is what a host hands out.

    Attributes:
        ref: The address.

    Args:
        spawn: Starts the actor of this number, from 0.
        path: What errors call the pool.
        limit: Messages that are worked on at once.
        new_signal: Makes what a task waits for.
    """

    LIMIT: Final = 256

    def __init__(
        self,
        spawn: Callable[[int], ActorRef],
        *,
        path: str = "/functions",
        limit: int = LIMIT,
        new_signal: NewSignal = anyio.Event,
    ) -> None:
        self.path = path
        self.asks: dict[Envelope, str] = {}
        self.new_signal = new_signal
        self.ref = ActorRef(self)
        self._spawn = spawn
        # Counted here: anyio's semaphore costs 2 µs a call more.
        self._n_free = limit
        self._waiting: deque[Signal] = deque()
        self._paths: set[str] = set()
        self._idle: list[ActorRef] = []
        self._busy: dict[
            Envelope, tuple[ActorRef, Callable[[Envelope], None] | None]
        ] = {}

    def put_nowait(self, envelope: Envelope) -> bool:
        """Give a message to an idle actor.

        Raises:
            anyio.WouldBlock: All are busy.
            DeadlockError: All are busy, and one of them waits for this message.
        """
        if not self._n_free or self._waiting:
            if not self._paths.isdisjoint(envelope.chain):
                raise DeadlockError(self.path, envelope.chain)
            raise anyio.WouldBlock
        self._n_free -= 1
        self._give(envelope)
        return True

    async def put(self, envelope: Envelope) -> None:
        """Give a message to the next actor that is idle; if cancelled, to none."""
        place = self.new_signal()
        self._waiting.append(place)
        try:
            await place.wait()
        except BaseException:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._free()
            raise
        self._give(envelope)

    def abandon(self, envelope: Envelope) -> None:
        """Cancel a message that nobody waits for any more."""
        busy = self._busy.get(envelope)
        if busy is not None:
            busy[0].abandon(envelope)

    def _give(self, envelope: Envelope) -> None:
        """Hand over to an actor, for the place just acquired."""
        told = envelope.on_done
        try:
            member = self._idle.pop() if self._idle else self._grow()
            self._busy[envelope] = member, told
            envelope.on_done = self._done
            member.send_nowait(envelope)
        except BaseException:
            # The actor is gone for good; another one takes its place.
            self._busy.pop(envelope, None)
            self._free()
            envelope.on_done = told
            raise

    def _grow(self) -> ActorRef:
        member = self._spawn(len(self._paths))
        self._paths.add(member.path)
        return member

    def _free(self) -> None:
        """Give a place to who waits longest for one, or back."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._n_free += 1

    def _done(self, envelope: Envelope) -> None:
        member, told = self._busy.pop(envelope)
        self._idle.append(member)
        self._free()
        if told is not None:
            told(envelope)
