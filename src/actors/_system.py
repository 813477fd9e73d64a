"""The system: every actor, one tree, one task group."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Self, final

import anyio
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup

from ..errors import ClosedError
from ._actor import Factory
from ._dead_letters import DeadLetters
from ._interceptor import Interceptor
from ._lanes import Lanes
from ._mailbox import Overflow
from ._ref import ActorRef, refuse_own_turn
from ._restart import Restart, RestartPolicy, Strategy
from ._signal import NewSignal
from .supervision import (
    Order,
    Runtime,
    Slot,
    Snapshot,
    State,
    Supervisor,
    SupervisorRef,
    log,
    watch,
)

__all__ = ["ActorSystem"]


@final
class ActorSystem(AsyncContextManagerMixin):
    """The root of a tree of actors; lives in an ``async with`` block.

    At the end of the block it stops in order, see `aclose`. When the block ends
    by an error or is cancelled nothing is served any more: handlers are
    cancelled, actors torn down, what waits fails. When the root gives up
    restarting, every pending ask fails, the block is cancelled and
    `RestartLimitError` leaves it, with the last crash as its cause.

    Every method may be called from any task of the event loop.

    Args:
        name: For logs and errors.
        interceptors: Around the handler of every actor, the first outermost.
        policy: How often and how fast the root restarts its children.
        shutdown_grace_s: Longest orderly shutdown, in seconds.
        teardown_s: Longest teardown of one actor, in seconds.
        ask_warning_s: Age at which a pending ask is logged, in seconds.
        poison_after: Crashes by one message before it is a dead letter.
        max_dead_letters: Dead letters kept.
        random: Source of jitter.
        sleep: Waits before restarts and between looks at pending asks.
        new_signal: Makes what a task waits for; `anyio.Event` if None.
        new_arrival: Makes what an actor without messages waits for; as *new_signal* if
            None.

    Attributes:
        name: As given.
        dead_letters: Messages that nobody handled.
    """

    def __init__(
        self,
        name: str = "dataflow",
        *,
        interceptors: Sequence[Interceptor] = (),
        policy: RestartPolicy | None = None,
        shutdown_grace_s: float = 30.0,
        teardown_s: float = 5.0,
        ask_warning_s: float = 10.0,
        poison_after: int = 3,
        max_dead_letters: int = 1000,
        random: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        new_signal: NewSignal | None = None,
        new_arrival: NewSignal | None = None,
    ) -> None:
        self.name = name
        self.dead_letters = DeadLetters(max_dead_letters)
        self._interceptors = tuple(interceptors)
        self._policy = policy
        self._grace_s = shutdown_grace_s
        self._teardown_s = teardown_s
        self._warning_s = ask_warning_s
        self._poison_after = poison_after
        self._random = random or Random()  # noqa: S311  jitter, not a secret
        self._sleep = sleep
        self._new_signal = new_signal
        self._new_arrival = new_arrival
        self._root: Supervisor | None = None
        self._body: anyio.CancelScope
        self._drain: anyio.CancelScope | None = None
        self._closed = anyio.Event()
        self._is_closing = False
        self._failure: Exception | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                watching = self._start(tasks)
                try:
                    with self._body:
                        yield self
                    await self._close(is_orderly=not self._body.cancel_called)
                except Exception as left:  # noqa: BLE001  raised below, not in a group
                    error = left
                    await self._close(is_orderly=False)
                except BaseException:
                    await self._close(is_orderly=False)
                    raise
                finally:
                    watching.cancel()
        except BaseExceptionGroup as group:
            # What tears down everything: an interrupt, in an actor or in the block.
            error = group.exceptions[0] if len(group.exceptions) == 1 else group
        if self._failure is not None and (
            error is None or isinstance(error, Exception)
        ):
            raise self._failure
        if error is not None:
            raise error

    def _start(self, tasks: TaskGroup) -> anyio.CancelScope:
        """Make the root and start the watch, which ends with the scope returned."""
        if self._root is not None:
            raise ClosedError(self.name)
        runtime = Runtime(
            tasks,
            interceptors=self._interceptors,
            dead_letters=self.dead_letters,
            collapse=self._collapse,
            sleep=self._sleep,
            random=self._random,
            teardown_s=self._teardown_s,
            poison_after=self._poison_after,
            new_signal=self._new_signal,
            new_arrival=self._new_arrival,
        )
        self._body = anyio.CancelScope()
        self._root = Supervisor("", runtime=runtime, system=self, policy=self._policy)
        watching = anyio.CancelScope()
        runtime.start(watch, runtime.asks, self._warning_s, self._sleep, watching)
        return watching

    def _tree(self) -> Supervisor:
        """Return the root."""
        if self._root is None:
            msg = f"{self.name} has no event loop yet: use it within `async with`"
            raise RuntimeError(msg)
        return self._root

    # -- the tree -------------------------------------------------------------

    def spawn(
        self,
        factory: Factory,
        name: str,
        *,
        supervisor: SupervisorRef | None = None,
        restart: Restart = Restart.PERMANENT,
        mailbox_size: int = 64,
        overflow: Overflow = Overflow.BLOCK,
        interceptors: Sequence[Interceptor] = (),
        significant: bool = False,
        lanes: Lanes | None = None,
    ) -> ActorRef:
        """Make a place for an actor; its task starts with its first message.

        Args:
            factory: Makes the actor, and a new one for each restart.
            name: Unique below its supervisor.
            supervisor: Who restarts it; the root if None.
            restart: Whether it is restarted when it ends.
            mailbox_size: Messages held before *overflow* applies.
            overflow: What becomes of a message when the mailbox is full.
            interceptors: Around its handler, within those of the system.
            significant: When it ends normally, its supervisor stops too.
            lanes: Whose message each is, if senders are to take turns.

        Raises:
            ClosedError: The system or the supervisor has stopped, or stops.
            ValueError: The name is taken or no name, the mailbox holds nothing,
                or the actor cannot be significant.
            RuntimeError: The system is not running yet.
        """
        root = self._tree()
        spawn = root.spawn if supervisor is None else supervisor.spawn
        return spawn(
            factory,
            name,
            restart=restart,
            mailbox_size=mailbox_size,
            overflow=overflow,
            interceptors=interceptors,
            significant=significant,
            lanes=lanes,
        )

    def supervisor(
        self,
        name: str,
        *,
        parent: SupervisorRef | None = None,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        policy: RestartPolicy | None = None,
        restart: Restart = Restart.PERMANENT,
    ) -> SupervisorRef:
        """Make a supervisor.

        Args:
            name: Unique below its parent.
            parent: Who restarts it; the root if None.
            strategy: Whom it restarts with a child that crashed.
            policy: How often and how fast; the defaults if None.
            restart: What its parent does when it gives up.

        Raises:
            ClosedError: The system or the parent has stopped, or stops.
            ValueError: The name is taken or no name.
            RuntimeError: The system is not running yet.
        """
        parent = parent or SupervisorRef(self._tree())
        return parent.supervisor(
            name, strategy=strategy, policy=policy, restart=restart
        )

    def find(self, path: str) -> ActorRef:
        """Return the address of an actor by its path, such as ``/nodes/User``.

        Raises:
            LookupError: There is none, or it has stopped.
        """
        node = self._node(path)
        if isinstance(node, Slot):
            return node.ref
        msg = f"there is no actor {path!r}: see `tree`"
        raise LookupError(msg)

    def tree(self) -> Snapshot:
        """Return what the system looks like now, from the root down."""
        return self._tree().snapshot()

    def _node(self, path: str) -> Slot | Supervisor | None:
        """Return what is at *path*, or None."""
        node: Slot | Supervisor | None = self._tree()
        for name in path.split("/")[1:]:
            children = node.children if isinstance(node, Supervisor) else {}
            node = children.get(name)
        return node

    def _slot(self, target: ActorRef) -> Slot | None:
        """Return the slot of an actor, or None when it has stopped."""
        node = self._node(target.path)
        return node if isinstance(node, Slot) and node.ref is target else None

    # -- system messages ------------------------------------------------------

    async def stop(self, target: ActorRef | SupervisorRef) -> None:
        """Stop an actor, or all below a supervisor, for good; the name is free then.

        It takes no more messages, serves those it has, and is torn down. If
        cancelled, it stops all the same. One that has stopped is left alone.

        Raises:
            DeadlockError: Called from a handler of what is to be stopped.
        """
        if isinstance(target, SupervisorRef):
            await target.stop()
            return
        refuse_own_turn(target.path)
        slot = self._slot(target)
        if slot is not None:
            await slot.stop()

    async def suspend(self, target: ActorRef) -> None:
        """Let the messages of an actor wait; returns once nothing is in hand.

        It stays so across restarts, until `resume` or `stop`. If cancelled, it
        is suspended all the same.

        Raises:
            DeadlockError: Called from a handler of the actor.
        """
        await self._order(target, Order.SUSPEND)

    async def resume(self, target: ActorRef) -> None:
        """Let a suspended actor go on.

        Raises:
            DeadlockError: Called from a handler of the actor.
        """
        await self._order(target, Order.RESUME)

    async def health(self, target: ActorRef) -> Snapshot:
        """Return what an actor looks like, as soon as it is between two turns.

        That it returns at all says that the actor is not stuck; set a limit with
        `anyio.fail_after`. For a look without waiting see `tree`.

        Raises:
            DeadlockError: Called from a handler of the actor.
            LookupError: The actor has stopped.
        """
        slot = self._slot(target)
        if slot is None:
            msg = f"{target.path} has stopped: it has no health"
            raise LookupError(msg)
        refuse_own_turn(target.path)
        return await slot.order(Order.REPORT)

    async def _order(self, target: ActorRef, order: Order) -> None:
        """Send a system message to an actor, if it is there."""
        refuse_own_turn(target.path)
        slot = self._slot(target)
        if slot is not None:
            await slot.order(order)

    # -- the end --------------------------------------------------------------

    async def aclose(self) -> None:
        """Stop everything in order; every later call waits for the same end.

        1. No actor takes messages from outside of actors any more.
        2. One by one, the last started first, the actors stop: each serves what
           it has, is torn down, and only then the next one stops; so each can
           still ask those it was built upon.
        3. What is not done within the grace period is cancelled and fails.

        The whole is shielded from cancellation and bounded; only `cancel` cuts
        it short.

        Raises:
            DeadlockError: Called from a handler.
        """
        refuse_own_turn("")
        if self._root is not None:
            await self._close(is_orderly=True)

    def cancel(self) -> None:
        """Stop at once: cancel the block and all handlers, serve nothing more.

        Meant for the second signal. Teardowns still run, and are bounded.
        """
        if self._drain is not None:
            self._drain.cancel()
        if self._root is not None:
            self._body.cancel()

    async def _close(self, *, is_orderly: bool) -> None:
        """Stop everything; wait for it if somebody else does already."""
        root = self._tree()
        if self._is_closing:
            with anyio.CancelScope(shield=True):
                await self._closed.wait()
            return
        self._is_closing = True
        if is_orderly:
            with anyio.move_on_after(self._grace_s, shield=True) as self._drain:
                await root.stop()
        if root.state is not State.STOPPED:
            if is_orderly:
                log.warning("shutdown_forced", system=self.name, grace_s=self._grace_s)
            with anyio.move_on_after(self._teardown_s, shield=True):
                await root.kill()
        if root.state is not State.STOPPED:
            # Teardowns that take long must not add up: all at once now.
            root.kill_nowait()
            with anyio.move_on_after(2 * self._teardown_s, shield=True):
                await root.kill()
        self._closed.set()

    def _collapse(self, runtime: Runtime, error: Exception) -> None:
        """Give up, because the root has: whoever waits is told at once."""
        self._failure = error
        self._body.cancel()
        runtime.start(partial(self._close, is_orderly=False))
