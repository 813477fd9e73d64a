"""One life of an actor, from `setup` to `teardown`.

Everything that interrupts a handler goes through one cancel scope around the
serving, which costs nothing per message. Once it was cancelled no further turn
starts in it: so a cancellation can never hit a message that it is not meant for.
"""

from __future__ import annotations

import time
from collections.abc import (
    Awaitable,
    Callable,
    Container,
    Generator,
    Hashable,
    Sequence,
    Sized,
)
from contextlib import contextmanager
from typing import final

import anyio
from anyio.lowlevel import checkpoint

from ...messages import Envelope
from .._actor import Actor
from .._interceptor import Interceptor, compose
from .._turn import Turn, current_turn
from ._backlog import Backlog
from ._runtime import log

__all__ = ["Incarnation"]

_BURST = 64
"""Messages served before other tasks get their turn."""
_BURST_S = 0.001
"""Seconds served before other tasks get their turn."""


@final
class Incarnation:
    """An actor at work.

    Args:
        actor: A new one.
        backlog: Its messages.
        interceptors: Around its handler, the first outermost.
        arrival: Waits until there may be a message, or an order.
        portion: Says how many messages to take; by default what fits into a turn.
        held_back: Says whose messages to leave where they are; None if nobody's ever.
        orders: System messages, looked at before each turn.
        obey: Carries these out; False when this life is to end.
        teardown_s: Longest teardown, in seconds.

    Attributes:
        actor: The one that was given.
        turn: What is in hand, or None.
        since: When the turn began, in seconds on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        actor: Actor,
        backlog: Backlog,
        *,
        interceptors: Sequence[Interceptor],
        arrival: Callable[[], Awaitable[object]],
        portion: Callable[[], int] | None = None,
        held_back: Callable[[], Container[Hashable]] | None = None,
        orders: Sized,
        obey: Callable[[], Awaitable[bool]],
        teardown_s: float,
    ) -> None:
        self.actor = actor
        self.turn: Turn | None = None
        self.since = 0.0
        self._backlog = backlog
        self._handler = compose(interceptors, actor.handle)
        self._arrival = arrival
        # Asked twice a turn, 0.3 µs: not where nothing is ever shared.
        self._portion = portion if actor.share_from else None
        self._held_back = held_back if actor.workers > 1 else None
        self._orders = orders
        self._obey = obey
        self._teardown_s = teardown_s
        self._scope: anyio.CancelScope | None = None
        self._is_interrupted = False
        self._is_leaving = False

    async def live(self, ready: Callable[[], None], *, waits: bool = False) -> None:
        """Set up, serve until there is nothing left to serve, tear down.

        Args:
            ready: Called when `setup` has returned.
            waits: Whether to wait for an arrival before the first turn, too.

        Raises:
            Exception: What crashed the actor; nothing is in hand any more.
        """
        is_ready = False
        try:
            with self._interruptible(), self._inside():
                await self.actor.setup()
                is_ready = True
            if is_ready:
                ready()
            if waits and not self._is_leaving:
                with self._interruptible():
                    await self._arrival()
            while not self._is_leaving:
                with self._interruptible():
                    self._is_leaving = await self._serve()
        finally:
            if is_ready:
                await self._tear_down()

    def interrupt(self) -> None:
        """Cancel the handler; what it has in hand is settled without it."""
        self._is_interrupted = True
        if self._scope is not None:
            self._scope.cancel()

    def leave(self) -> None:
        """End this life now; what it has in hand is settled without it."""
        self._is_leaving = True
        self.interrupt()

    def dismiss(self) -> None:
        """End this life when what it has in hand is done."""
        self._is_leaving = True
        if self.turn is None:
            self.interrupt()

    @contextmanager
    def _interruptible(self) -> Generator[None]:
        """Let `interrupt` cancel the block, and settle what it leaves in hand."""
        self._is_interrupted = False
        crash: Exception | None = None
        try:
            with anyio.CancelScope() as self._scope:
                yield
        except Exception as error:
            crash = error
            raise
        finally:
            self._scope = None
            turn, self.turn = self.turn, None
            if turn is not None:
                self._backlog.cut_short(turn, crash)

    @contextmanager
    def _inside(self) -> Generator[None]:
        """Let what the block sends count as sent by this actor.

        It has nothing in hand; an empty envelope stands for the runtime, which
        waits for the block.
        """
        turn = Turn(self._backlog.mailbox.path, (Envelope(message=None),))
        current_turn.set(turn)
        try:
            yield
        finally:
            turn.is_over = True

    async def _serve(self) -> bool:
        """Deliver turn after turn; True when there is no more to come."""
        backlog, orders, size = self._backlog, self._orders, self.actor.turn_size
        crash_on, portion = self.actor.crash_on, self._portion
        mailbox, held_back = backlog.mailbox, self._held_back
        n_served, until = 0, time.monotonic() + _BURST_S
        while not (self._is_interrupted or self._is_leaving):
            if orders and not await self._obey():
                return True
            most = size if portion is None else portion()
            if held_back is None or not mailbox.has_lanes:
                turn = backlog.next_turn(most)
            else:
                turn = backlog.next_turn(most, held_back())
            if turn is not None:
                # Not a method: one coroutine less to resume, 1 µs a turn.
                self.turn = turn
                self.since = time.monotonic()
                current_turn.set(turn)
                try:
                    await self._handler(turn)
                except crash_on:
                    raise
                except Exception as error:  # noqa: BLE001  it is the senders' to handle
                    turn.fail(error)
                self.turn = None
                backlog.conclude(turn)
                n_served += len(turn.taken)
                if n_served < _BURST and self.since < until:
                    continue
                await checkpoint()
            elif mailbox.is_closed and backlog.is_drained:
                return True
            elif not orders:
                current_turn.set(None)
                await self._arrival()
            n_served, until = 0, time.monotonic() + _BURST_S
        return self._is_leaving

    async def _tear_down(self) -> None:
        """Let the actor release what it holds, within limits."""
        path = self._backlog.mailbox.path
        with (
            self._inside(),
            anyio.move_on_after(self._teardown_s, shield=True) as scope,
        ):
            try:
                await self.actor.teardown()
            except Exception as error:  # noqa: BLE001  the next life must not suffer
                log.error("teardown_failed", actor=path, error=type(error).__name__)
        if scope.cancelled_caught:
            log.error("teardown_timed_out", actor=path, limit_s=self._teardown_s)
