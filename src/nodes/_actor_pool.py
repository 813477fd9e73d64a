"""Many actors behind one address, one message to an actor.

So a slow message holds up no other, one that nobody waits for any more is cancelled
alone, and functions that live for one run leave nothing behind. When every actor is
busy, senders wait in the order they came.

Where messages have lanes, the senders of these take turns, and the last actor that is
idle is for a lane that has none: so one that fills the others keeps nobody else waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from typing import Final, NamedTuple, final

import anyio

from ..actors import ActorRef, Lanes, NewSignal, Signal
from ..errors import DeadlockError
from ..lanes import FairQueue
from ..messages import Envelope

__all__ = ["ActorPool"]


class _Busy(NamedTuple):
    member: ActorRef
    told: Callable[[Envelope], None] | None
    lane: Hashable


@final
class _Sender:
    """Somebody who waits for a place, and whether he has it."""

    __slots__ = ("has_place", "lane", "signal")

    def __init__(self, lane: Hashable, signal: Signal) -> None:
        self.lane = lane
        self.signal = signal
        self.has_place = False


@final
class ActorPool:
    """One address for many actors; its `ref` is what a host hands out.

    Attributes:
        ref: The address.

    Args:
        spawn: Starts the actor of this number, from 0.
        path: What errors call the pool.
        limit: Messages that are worked on at once.
        new_signal: Makes what a task waits for; `anyio.Event` if None.
        lanes: Whose message each is; None if all are of one lane.
    """

    LIMIT: Final = 256

    def __init__(
        self,
        spawn: Callable[[int], ActorRef],
        *,
        path: str = "/functions",
        limit: int = LIMIT,
        new_signal: NewSignal | None = None,
        lanes: Lanes | None = None,
    ) -> None:
        self.path = path
        self.asks: dict[Envelope, str] = {}
        self.new_signal: NewSignal = new_signal or anyio.Event
        self.ref = ActorRef(self)
        self._spawn = spawn
        self._key = None if lanes is None else lanes.key
        self._admission = None if lanes is None else lanes.admission
        weight = None if lanes is None else lanes.weight
        # Counted here: anyio's semaphore costs 2 µs a call more.
        self._n_free = limit
        self._n_kept = int(limit > 1)
        self._waiting: FairQueue[_Sender] = FairQueue(weight)
        self._has_lanes = False
        self._held: dict[Hashable, int] = {}
        self._paths: set[str] = set()
        self._idle: list[ActorRef] = []
        self._busy: dict[Envelope, _Busy] = {}

    def waiting(self) -> dict[Hashable, int]:
        """Return how many senders of each lane wait."""
        return self._waiting.counts()

    def put_nowait(self, envelope: Envelope) -> bool:
        """Give a message to an idle actor.

        Raises:
            anyio.WouldBlock: There is none for it.
            DeadlockError: There is none, and one of them waits for this message.
        """
        lane = self._lane_of(envelope)
        if not self._has_place(lane):
            self._check_chain(envelope)
            raise anyio.WouldBlock
        admission = self._admission
        if admission is None or not admission.is_limited:
            self._take(lane)
            self._give(envelope, lane)
            return True
        if not admission.admit_nowait(envelope):
            raise anyio.WouldBlock
        try:
            self._take(lane)
            self._give(envelope, lane)
        except BaseException:
            admission.withdraw(envelope)
            raise
        return True

    async def put(self, envelope: Envelope) -> None:
        """Give a message to the next actor that is idle; if cancelled, to none."""
        admission = self._admission
        if admission is None or not admission.is_limited:
            await self._put(envelope)
            return
        await admission.admit(envelope)
        try:
            await self._put(envelope)
        except BaseException:
            admission.withdraw(envelope)
            raise

    async def _put(self, envelope: Envelope) -> None:
        """Give a message to the next actor that is idle."""
        lane = self._lane_of(envelope)
        if self._has_place(lane):
            self._take(lane)
        else:
            self._check_chain(envelope)
            await self._wait(lane)
        self._give(envelope, lane)

    async def _wait(self, lane: Hashable) -> None:
        """Wait for a place; if cancelled, none is taken."""
        sender = _Sender(lane, self.new_signal())
        self._waiting.push(lane, sender)
        try:
            await sender.signal.wait()
        except BaseException:
            if sender.has_place:
                self._free(lane)
            else:
                self._waiting.remove(sender)
            raise

    def abandon(self, envelope: Envelope) -> None:
        """Cancel a message that nobody waits for any more."""
        busy = self._busy.get(envelope)
        if busy is not None:
            busy.member.abandon(envelope)

    def _check_chain(self, envelope: Envelope) -> None:
        if not self._paths.isdisjoint(envelope.chain):
            raise DeadlockError(self.path, envelope.chain)

    # -- places --------------------------------------------------------------------

    def _lane_of(self, envelope: Envelope) -> Hashable:
        if self._key is None:
            return None
        lane = self._key(envelope)
        if lane is not None:
            self._has_lanes = True
        return lane

    def _has_place(self, lane: Hashable) -> bool:
        """Whether a message of a lane may have a place now."""
        if not self._n_free or (self._waiting and self._waiting.count(lane)):
            return False
        return lane not in self._held_back()

    def _held_back(self) -> Container[Hashable]:
        """Return the lanes that may not have the next place: it is the last one."""
        return self._held if self._n_free == self._n_kept else ()

    def _take(self, lane: Hashable) -> None:
        self._n_free -= 1
        if self._has_lanes:
            self._held[lane] = self._held.get(lane, 0) + 1

    def _free(self, lane: Hashable) -> None:
        """Give a place back, and places to those who wait for one."""
        self._n_free += 1
        held = self._held.get(lane, 0)
        if held > 1:
            self._held[lane] = held - 1
        elif held:
            del self._held[lane]
        while self._n_free and self._waiting:
            sender = self._waiting.pop(self._held_back())
            if sender is None:
                return
            self._take(sender.lane)
            sender.has_place = True
            sender.signal.set()

    # -- actors --------------------------------------------------------------------

    def _give(self, envelope: Envelope, lane: Hashable) -> None:
        """Hand over to an actor, for the place just taken."""
        told = envelope.on_done
        try:
            member = self._idle.pop() if self._idle else self._grow()
            self._busy[envelope] = _Busy(member, told, lane)
            envelope.on_done = self._done
            member.send_nowait(envelope)
        except BaseException:
            # The actor is gone for good; another one takes its place.
            self._busy.pop(envelope, None)
            self._free(lane)
            envelope.on_done = told
            raise

    def _grow(self) -> ActorRef:
        member = self._spawn(len(self._paths))
        self._paths.add(member.path)
        return member

    def _done(self, envelope: Envelope) -> None:
        member, told, lane = self._busy.pop(envelope)
        self._idle.append(member)
        self._free(lane)
        if told is not None:
            told(envelope)
