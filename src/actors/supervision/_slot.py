"""The place of an actor: its task and its messages, across all incarnations.

Rules of this file
* One task, `run`, from the first message to the end. It never lets an Exception
  out: the task group would cancel every other actor.
* What waits in the mailbox survives a restart, because it belongs to the slot.
* System messages have a queue of their own. It is looked at before each turn
  and wakes an idle actor, so a full mailbox never delays them.
* The moves between states are a table, see `_snapshot`; waiting for a state is
  waiting for `_changed`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Hashable, Sequence, Sized
from enum import StrEnum
from typing import final

import anyio

from ...errors import DeadlockError, MailboxClosedError
from ...messages import Envelope
from .._actor import ActorContext, Factory, System
from .._interceptor import Interceptor
from .._mailbox import Mailbox
from .._ref import ActorRef
from .._restart import Restart
from .._turn import current_turn
from ._backlog import Backlog
from ._crew import Crew
from ._incarnation import Incarnation
from ._runtime import Runtime, log
from ._snapshot import TRANSITIONS, Signal, Snapshot, State

__all__ = ["Slot"]

_DOWN = frozenset({State.IDLE, State.RESTARTING, State.STOPPING, State.STOPPED})
"""States in which a supervisor has nothing to halt."""


class Order(StrEnum):
    """What a system message tells an actor to do, between two turns."""

    SUSPEND = "suspend"
    """Let messages wait."""
    RESUME = "resume"
    """Go on."""
    REPORT = "report"
    """Say what it looks like."""
    RESTART = "restart"
    """End this life; the supervisor starts the next."""


@final
class _SystemMessage:
    """An order on its way to an actor.

    Attributes:
        order: What to do.
        done: Set when it was carried out, or never will be.
        report: What the actor looked like then; None if it was not carried out.
    """

    __slots__ = ("done", "order", "report")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.done = anyio.Event()
        self.report: Snapshot | None = None


@final
class _Halted:
    """Says to helpers whether they are to stand by: empty while they may work."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def __len__(self) -> int:
        return int(self._slot.state is State.SUSPENDED)


@final
class Slot:
    """The supervised place of one actor.

    Args:
        mailbox: Where its messages wait.
        factory: Makes an incarnation.
        runtime: What all actors share.
        system: For the actor's context.
        restart: Whether it is restarted when it ends.
        interceptors: Around its handler, the first outermost.
        fell: Told of a crash or a normal end; False when there is no next life.
        ended: Told when it is gone for good.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        factory: Factory,
        *,
        runtime: Runtime,
        system: System,
        restart: Restart,
        interceptors: Sequence[Interceptor],
        fell: Callable[[Slot, Exception | None], bool],
        ended: Callable[[Slot], None],
    ) -> None:
        self.path = mailbox.path
        self.state = State.IDLE
        self.restart = restart
        self.asks = runtime.asks
        self.new_signal = runtime.new_signal
        self.ref = ActorRef(self)
        self.has_finished = self.is_significant = False
        self._context = ActorContext(self.ref, system, self._finish)
        self._mailbox = mailbox
        self._backlog = Backlog(mailbox, runtime)
        self._admission = None if mailbox.lanes is None else mailbox.lanes.admission
        self._factory = factory
        self._runtime = runtime
        self._interceptors = interceptors
        self._fell = fell
        self._ended = ended
        self._crew: Crew | None = None
        self._changed = anyio.Event()
        self._orders: deque[_SystemMessage] = deque()
        self._is_open = True
        self._is_suspended = False
        self._is_halting = False
        self._is_killed = False
        self._restarts = 0
        self._last_error: Exception | None = None

    # -- for senders ----------------------------------------------------------

    def put_nowait(self, envelope: Envelope) -> bool:
        """Deliver a message; for what it raises see `ActorRef.send_nowait`.

        Returns:
            False when a message was dropped, this one or another.
        """
        if not self._is_open:
            self._check_open()
        if envelope.chain and self.path in envelope.chain:
            raise DeadlockError(self.path, envelope.chain)
        admission = self._admission
        if admission is None or not admission.is_limited:
            return self._deliver(envelope)
        if not admission.admit_nowait(envelope):
            raise anyio.WouldBlock
        try:
            return self._deliver(envelope)
        except BaseException:
            admission.withdraw(envelope)
            raise

    def _deliver(self, envelope: Envelope) -> bool:
        """Put a message into the mailbox; the first one starts the task."""
        dropped = self._mailbox.put_nowait(envelope)
        if self.state is State.IDLE:
            self._move(Signal.MESSAGE)
            self._runtime.start(self.run)
        if dropped is None:
            return True
        self._backlog.drop(dropped)
        return False

    async def put(self, envelope: Envelope) -> None:
        """Deliver a message as soon as there is a place for it."""
        admission = self._admission
        if admission is None or not admission.is_limited:
            await self._mailbox.put(envelope)
            return
        await admission.admit(envelope)
        try:
            if not self._is_open:
                self._check_open()
            try:
                self._deliver(envelope)
            except anyio.WouldBlock:
                await self._mailbox.put(envelope)
        except BaseException:
            # Of what the actor took meanwhile, its outcome tells.
            if not envelope.attempt:
                admission.withdraw(envelope)
            raise

    def abandon(self, envelope: Envelope) -> None:
        """Note that nobody waits for a message, see `ActorRef.abandon`."""
        if envelope.is_done:
            return
        envelope.is_abandoned = True
        life = None if self._crew is None else self._crew.holder(envelope)
        if life is None or life.turn is None:
            self._backlog.withdraw(envelope)
        elif not life.turn.is_wanted:
            life.interrupt()

    def gate(self) -> None:
        """Refuse messages from outside of actors: the system is shutting down.

        Actors that work off what they have may still ask each other.
        """
        self._is_open = False

    def _check_open(self) -> None:
        """Refuse a message that comes too late."""
        turn = current_turn.get()
        is_outside = turn is None or turn.is_over
        if is_outside or self.state in {State.STOPPING, State.STOPPED}:
            raise MailboxClosedError(self.path)

    # -- for the supervisor ---------------------------------------------------

    async def halt(self) -> None:
        """End the incarnation and wait for it; what is queued waits for the next.

        A temporary actor has no next one and stops for good.
        """
        if self.state in _DOWN:
            return
        if self.restart is Restart.TEMPORARY:
            await self.kill()
            return
        self._is_halting = True
        self._leave()
        await self._until(State.RESTARTING, State.STOPPED)

    async def revive(self) -> None:
        """Start the next incarnation and wait until its `setup` is over.

        If that fails, the supervisor has been told when this returns.
        """
        if self.state is not State.RESTARTING:
            return
        self._restarts += 1
        self._move(Signal.REVIVE)
        while self._is_in(State.STARTING):
            await self._changed.wait()
        if not self._is_in(State.RESTARTING):
            log.info("actor_restarted", actor=self.path, restarts=self._restarts)

    async def stop(self) -> None:
        """Refuse new messages, serve the old ones, stop for good.

        If cancelled, the actor stops all the same. One that waits for its
        restart is not started again for it: its messages fail.
        """
        self._begin_stop()
        await self._until(State.STOPPED)

    async def kill(self) -> None:
        """Stop for good without serving what waits; all of it fails."""
        self.kill_nowait()
        await self._until(State.STOPPED)

    def kill_nowait(self) -> None:
        """Do as `kill`, without waiting for the end."""
        self._is_killed = True
        self._begin_stop()
        self._leave()

    async def order(self, order: Order) -> Snapshot:
        """Send a system message and wait until it was carried out.

        An actor that is not at work right now carries it out when it is; this
        does not wait for that.

        Returns:
            What the actor looked like then.
        """
        message = _SystemMessage(order)
        self._orders.append(message)
        self._mailbox.wake()
        self._notify()
        if self.state not in _DOWN:
            await message.done.wait()
        return message.report or self.snapshot()

    def snapshot(self) -> Snapshot:
        """Return what it looks like now."""
        backlog, error = self._backlog, self._last_error
        lives = [] if self._crew is None else self._crew.lives
        begun = [life.since for life in lives if life.turn is not None]
        waiting = self._mailbox.waiting() if self._mailbox.has_lanes else {}
        return Snapshot(
            name=self.path.rpartition("/")[2],
            path=self.path,
            kind="actor",
            state=self.state,
            depth=len(backlog),
            lanes={_name(lane): count for lane, count in waiting.items()},
            capacity=self._mailbox.capacity,
            processed=backlog.processed,
            failed=backlog.failed,
            dropped=backlog.dropped,
            expired=backlog.expired,
            restarts=self._restarts,
            last_error=None if error is None else type(error).__name__,
            age_s=time.monotonic() - min(begun) if begun else None,
            workers=len(lives),
        )

    # -- the task -------------------------------------------------------------

    async def run(self) -> None:
        """Live as often as the supervisor wants; the first message starts it."""
        try:
            while not self._is_killed:
                error = await self._incarnate()
                if error is not None:
                    self._last_error = error
                if self._is_in(State.STOPPING):
                    break
                self._move(Signal.FALL)
                if not self._is_halting and not self._fell(self, error):
                    break
                self._is_halting = False
                while self._is_in(State.RESTARTING):
                    await self._changed.wait()
                if self._is_in(State.STOPPING):
                    break
        finally:
            self._end()

    async def _incarnate(self) -> Exception | None:
        """Live once; return the crash, or None when it ended otherwise."""
        if self._is_halting:
            return None
        try:
            self._crew = Crew(
                self._backlog,
                self._runtime,
                self._hire,
                orders=self._orders,
                obey=self._obey,
                halted=_Halted(self),
                changed=self._change,
            )
            await self._crew.live(self._ready)
        except Exception as error:  # noqa: BLE001  what it means, the supervisor decides
            return error
        finally:
            self._crew = None
        return None

    def _hire(
        self,
        arrival: Callable[[], Awaitable[object]],
        orders: Sized,
        obey: Callable[[], Awaitable[bool]],
        portion: Callable[[], int] | None = None,
        held_back: Callable[[], Container[Hashable]] | None = None,
    ) -> Incarnation:
        """Make an incarnation."""
        actor = self._factory()
        actor.context = self._context
        return Incarnation(
            actor,
            self._backlog,
            interceptors=self._interceptors,
            arrival=arrival,
            portion=portion,
            held_back=held_back,
            orders=orders,
            obey=obey,
            teardown_s=self._runtime.teardown_s,
        )

    def _ready(self) -> None:
        """Note that `setup` has returned."""
        if self.state is State.STARTING:
            self._move(Signal.READY)
        if self._is_suspended:
            self._orders.appendleft(_SystemMessage(Order.SUSPEND))

    async def _obey(self) -> bool:
        """Carry out the system messages; False when this life is to end."""
        while self._orders or self.state is State.SUSPENDED:
            if not self._orders:
                await self._changed.wait()
                continue
            message = self._orders.popleft()
            if message.order is Order.SUSPEND:
                self._is_suspended = True
                if self.state is State.RUNNING:
                    self._move(Signal.SUSPEND)
            elif message.order is Order.RESUME:
                self._is_suspended = False
                if self.state is State.SUSPENDED:
                    self._move(Signal.RESUME)
            message.report = self.snapshot()
            message.done.set()
            if message.order is Order.RESTART and self.state is not State.STOPPING:
                return False
        return True

    def _end(self) -> None:
        """Fail what is left; nothing of the actor remains but its counts."""
        self._begin_stop()
        error = self._last_error
        self._backlog.close(error)
        for message in self._orders:
            message.done.set()
        self._ended(self)
        self._move(Signal.END)
        log.info(
            "actor_stopped",
            actor=self.path,
            processed=self._backlog.processed,
            last_error=None if error is None else type(error).__name__,
        )

    def _finish(self) -> None:
        """End normally, because the actor itself wants to."""
        if self.restart is Restart.PERMANENT:
            self._orders.append(_SystemMessage(Order.RESTART))
            self._mailbox.wake()
            self._notify()
        elif self.state is not State.STOPPING:
            self.has_finished = True
            self._begin_stop()

    def _begin_stop(self) -> None:
        """Take no more messages; the task ends when the old ones are served."""
        if self.state in {State.STOPPING, State.STOPPED}:
            return
        has_no_task = self.state is State.IDLE
        self._is_open = False
        self._move(Signal.STOP)
        self._mailbox.close()
        if has_no_task:
            self._end()

    def _leave(self) -> None:
        """Make the incarnation end, if there is one."""
        if self._crew is not None:
            self._crew.leave()

    # -- states ---------------------------------------------------------------

    def _move(self, signal: Signal) -> None:
        """Follow the table."""
        self.state = TRANSITIONS[self.state, signal]
        self._notify()

    def _notify(self) -> None:
        """Let everyone look again who waits for a change."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def _until(self, *states: State) -> None:
        """Wait until it is in one of *states*."""
        while not self._is_in(*states):
            await self._changed.wait()

    def _is_in(self, *states: State) -> bool:
        """Whether it is in one of *states*; type checkers would remember the answer."""
        return self.state in states


def _name(lane: Hashable) -> str:
    """Return what a lane is called where it is shown."""
    return "" if lane is None else str(lane)
