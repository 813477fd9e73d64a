"""The incarnations of one actor that work side by side on its mailbox.

Rules of this file
* The leader is the first. It alone waits for messages and carries out orders; it
  ends the crew when it ends, and helpers finish what they have in hand.
* Helpers come when the leader falls behind: when a message waited for the actor's
  patience and no turn began meanwhile, or when as much waits as fits into a turn.
  One of them watches at a time, and nobody does before the first message that finds
  the leader busy. So a message alone pays nothing, and what waits together stays
  together; or in two halves, if the actor wants that.
* A crash of one is a crash of all.
* Where messages have lanes, the last one that is free works only for lanes that nobody
  works for: so one that fills the others with long work keeps nobody else waiting.
  Once the mailbox is closed this is over, or what is held back would never be served.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Hashable, Sized
from typing import Protocol, final

import anyio

from ...messages import Envelope
from .._signal import Signal
from ._backlog import Backlog
from ._incarnation import Incarnation
from ._runtime import Runtime

__all__ = ["Crew", "Hire"]


class Hire(Protocol):
    """Makes an incarnation that waits, and takes orders, in a given way."""

    def __call__(
        self,
        arrival: Callable[[], Awaitable[object]],
        orders: Sized,
        obey: Callable[[], Awaitable[bool]],
        portion: Callable[[], int] | None = None,
        held_back: Callable[[], Container[Hashable]] | None = None,
    ) -> Incarnation:
        """Return a new incarnation."""
        ...


@final
class Crew:
    """One life of an actor, by one incarnation or several.

    Args:
        backlog: The messages they share.
        runtime: What all actors share.
        hire: Makes an incarnation.
        orders: System messages for the leader.
        obey: Carries these out; False when this life is to end.
        halted: Whether helpers are to stand by; empty when they may work.
        changed: Waits until that may have changed.
    """

    def __init__(
        self,
        backlog: Backlog,
        runtime: Runtime,
        hire: Hire,
        *,
        orders: Sized,
        obey: Callable[[], Awaitable[bool]],
        halted: Sized,
        changed: Callable[[], Awaitable[object]],
    ) -> None:
        self._backlog = backlog
        self._runtime = runtime
        self._hire = hire
        self._halted = halted
        self._changed = changed
        arrival = backlog.mailbox.arrival
        self._leader = hire(arrival, orders, obey, self._portion, self._held_back)
        self._helpers: list[Incarnation] = []
        self._n_hired = 0
        self._watch = anyio.Lock()
        self._parked: Signal | None = None
        self._is_wanted = False
        self._crash: Exception | None = None
        self._over: anyio.Event | None = None

    @property
    def lives(self) -> list[Incarnation]:
        """The incarnations there are, the leader first."""
        return [self._leader, *self._helpers]

    def holder(self, envelope: Envelope) -> Incarnation | None:
        """Return the incarnation that has *envelope* in hand, or None."""
        for life in self.lives:
            if life.turn is not None and envelope in life.turn.taken:
                return life
        return None

    def leave(self) -> None:
        """End this life now; what is in hand is settled without it."""
        for life in self.lives:
            life.leave()

    async def live(self, ready: Callable[[], None]) -> None:
        """Serve until there is nothing left to serve, or one of them crashes.

        Args:
            ready: Called when the leader's `setup` has returned.

        Raises:
            Exception: What crashed one of them; nothing is in hand any more.
        """
        mailbox = self._backlog.mailbox
        if self._leader.actor.workers > 1:
            self._look_for_helper(beyond=1)
        try:
            await self._leader.live(ready)
        finally:
            mailbox.call_when_behind(None)
            self._over = anyio.Event()
            for life in self._helpers:
                life.dismiss()
            if self._n_hired:
                with anyio.CancelScope(shield=True):
                    await self._over.wait()
        if self._crash is not None:
            raise self._crash

    def _portion(self) -> int:
        """Return how many messages the leader takes.

        Half of them where a helper is free for the others and nobody else is at work:
        then one is worked on elsewhere while the other is worked on here.
        """
        actor = self._leader.actor
        if self._parked is None or not actor.share_from:
            return actor.turn_size
        waiting = len(self._backlog)
        is_busy = any(life.turn is not None for life in self._helpers)
        if waiting < actor.share_from or is_busy:
            return actor.turn_size
        self._is_wanted = True
        self._parked.set()
        return min(actor.turn_size, (waiting + 1) // 2)

    def _held_back(self) -> Container[Hashable]:
        """Return the lanes that the next one to take messages leaves to the others."""
        mailbox = self._backlog.mailbox
        turns = [life.turn for life in self.lives if life.turn is not None]
        if len(turns) + 1 < self._leader.actor.workers or mailbox.is_closed:
            return ()
        return {mailbox.lane_of(each) for turn in turns for each in turn.taken}

    # -- helpers ------------------------------------------------------------------

    def _call_helper(self) -> None:
        """Start a helper; it watches before it works."""
        self._n_hired += 1
        self._runtime.start(self._help)

    async def _help(self) -> None:
        """Live as a helper, until the leader ends."""
        try:
            if self._over is None:
                life = self._hire(
                    self._need,
                    self._halted,
                    self._stand_by,
                    held_back=self._held_back,
                )
                self._helpers.append(life)
                try:
                    await life.live(_nothing, waits=True)
                finally:
                    self._helpers.remove(life)
        except Exception as error:  # noqa: BLE001  the leader raises it
            self._crash = self._crash or error
            self.leave()
        finally:
            self._n_hired -= 1
            if self._over is not None and not self._n_hired:
                self._over.set()

    async def _need(self) -> None:
        """Wait until the others are behind: a helper's way to wait for messages."""
        async with self._watch:
            while not (self._is_wanted or await self._is_behind()):
                self._parked = called = self._runtime.new_signal()
                self._backlog.mailbox.call_when_behind(called.set)
                try:
                    await called.wait()
                finally:
                    self._parked = None
            self._is_wanted = False
        is_watched = self._watch.statistics().tasks_waiting > 0
        if not is_watched and 1 + self._n_hired < self._leader.actor.workers:
            self._look_for_helper(beyond=self._leader.actor.turn_size)

    def _look_for_helper(self, *, beyond: int) -> None:
        """Call a helper, at once if more than *beyond* messages wait already."""
        if len(self._backlog) > beyond:
            self._call_helper()
        else:
            self._backlog.mailbox.call_when_behind(self._call_helper)

    async def _is_behind(self) -> bool:
        """Whether what waits would still wait for long; False once nothing waits."""
        backlog, actor = self._backlog, self._leader.actor
        while self._n_waiting():
            seen = backlog.turns
            if actor.patience_s:
                await self._runtime.sleep(actor.patience_s)
            waiting = self._n_waiting()
            if waiting and (backlog.turns == seen or waiting >= actor.turn_size):
                return True
        return False

    def _n_waiting(self) -> int:
        """Return how many messages wait that a helper would take."""
        backlog = self._backlog
        if not backlog.mailbox.has_lanes:
            return len(backlog)
        return backlog.count(self._held_back())

    async def _stand_by(self) -> bool:
        """Wait while the actor is suspended; True, for a helper ends by dismissal."""
        while self._halted:
            await self._changed()
        return True


def _nothing() -> None:
    pass
