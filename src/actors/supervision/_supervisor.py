"""Supervisors: who is restarted, in which order, and when it is given up.

Rules of this file
* A supervisor has no task. A child that falls reports from its own task, which
  then waits; a recovery, a task that lives as long as it takes, halts the victims
  in reverse start order, waits, and revives them in start order.
* A child that falls while a recovery is about to halt it anyway is not counted
  a second time. One that falls once it was revived is: its new recovery takes
  the place of the old one, whose victims not yet revived are among its own.
* A supervisor that gives up is a fallen child of its parent; until the parent
  has decided, its children stay down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import final

import anyio

from ...errors import ClosedError, RestartLimitError
from .._actor import Factory, System
from .._interceptor import Interceptor
from .._lanes import Lanes
from .._mailbox import Mailbox, Overflow
from .._ref import ActorRef
from .._restart import Restart, RestartPolicy, RestartWindow, Strategy
from ._runtime import Runtime, log
from ._slot import Slot
from ._snapshot import Snapshot, State

__all__ = ["Supervisor"]


@final
class Supervisor:
    """A node of the supervision tree.

    Args:
        path: Names from the root down; empty for the root.
        runtime: What all actors share.
        system: For the contexts of actors.
        strategy: Whom to restart with a child that crashed.
        policy: How often and how fast.
        restart: What its parent does when it gives up.
        parent: None for the root.
    """

    def __init__(
        self,
        path: str,
        *,
        runtime: Runtime,
        system: System,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        policy: RestartPolicy | None = None,
        restart: Restart = Restart.PERMANENT,
        parent: Supervisor | None = None,
    ) -> None:
        self.path = path
        self.restart = restart
        self.state = State.RUNNING
        self.has_finished = self.is_significant = False
        self.children: dict[str, Slot | Supervisor] = {}
        self._runtime = runtime
        self._system = system
        self._strategy = strategy
        self._policy = policy or RestartPolicy()
        self._parent = parent
        self._window = RestartWindow(self._policy)
        self._recoveries: dict[anyio.CancelScope, Slot | Supervisor | None] = {}
        self._victims: set[Slot | Supervisor] = set()
        self._stopped = anyio.Event()
        self._restarts = 0
        self._last_error: Exception | None = None

    # -- children -------------------------------------------------------------

    def spawn(
        self,
        factory: Factory,
        name: str,
        *,
        restart: Restart = Restart.PERMANENT,
        mailbox_size: int = 64,
        overflow: Overflow = Overflow.BLOCK,
        interceptors: Sequence[Interceptor] = (),
        significant: bool = False,
        lanes: Lanes | None = None,
    ) -> ActorRef:
        """Make a place for an actor, see `ActorSystem.spawn`."""
        if significant and (restart is Restart.PERMANENT or self._parent is None):
            msg = f"{name!r} cannot be significant: it must not be permanent, and it "
            msg += "needs a supervisor of its own that ends with it"
            raise ValueError(msg)
        path, runtime = self._path_of(name), self._runtime
        slot = Slot(
            Mailbox(
                path,
                mailbox_size,
                overflow,
                runtime.new_signal,
                lanes,
                new_arrival=runtime.new_arrival,
            ),
            factory,
            runtime=runtime,
            system=self._system,
            restart=restart,
            interceptors=(*runtime.interceptors, *interceptors),
            fell=self.fell,
            ended=self.forget,
        )
        slot.is_significant = significant
        self.children[name] = slot
        return slot.ref

    def supervise(
        self,
        name: str,
        *,
        strategy: Strategy,
        policy: RestartPolicy | None,
        restart: Restart,
    ) -> Supervisor:
        """Make a supervisor below this one, see `ActorSystem.supervisor`."""
        child = Supervisor(
            self._path_of(name),
            runtime=self._runtime,
            system=self._system,
            strategy=strategy,
            policy=policy,
            restart=restart,
            parent=self,
        )
        self.children[name] = child
        return child

    def _path_of(self, name: str) -> str:
        """Return the path of a new child, if there can be one of this name."""
        if self.state in {State.STOPPING, State.STOPPED}:
            raise ClosedError(self.path or "the system")
        if not name or "/" in name:
            msg = f"{name!r} cannot be part of a path: use a name without '/'"
            raise ValueError(msg)
        if name in self.children:
            msg = f"{self.path}/{name} exists already: stop it, or take another name"
            raise ValueError(msg)
        return f"{self.path}/{name}"

    def forget(self, child: Slot | Supervisor) -> None:
        """Let go of a child that is gone for good."""
        del self.children[child.path.rpartition("/")[2]]
        self._victims.discard(child)
        if child.has_finished and child.is_significant:
            log.info("supervisor_finished", supervisor=self.path, child=child.path)
            self._runtime.start(self.stop)

    # -- falls ----------------------------------------------------------------

    def fell(self, child: Slot | Supervisor, error: Exception | None) -> bool:
        """Decide about a fallen child; False when it is gone for good."""
        self._last_error = error or self._last_error
        if child.restart is Restart.TEMPORARY:
            return False
        if self.state is not State.RUNNING or child in self._victims:
            return self.state not in {State.STOPPING, State.STOPPED}
        attempt = self._window.admit(anyio.current_time())
        if attempt is None:
            self._escalate(child, error)
        else:
            self._recover(child, attempt, error)
        return True

    def _recover(
        self, child: Slot | Supervisor, attempt: int, error: Exception | None
    ) -> None:
        """Start the recovery from the fall of a child."""
        delay_s = self._policy.delay_s(attempt, self._runtime.random)
        log.warning(
            "actor_restarting",
            actor=child.path,
            attempt=attempt,
            delay_s=delay_s,
            error=None if error is None else type(error).__name__,
        )
        for scope, other in self._recoveries.items():
            if other is child or self._strategy is not Strategy.ONE_FOR_ONE:
                scope.cancel()
        victims = self._victims_of(child)
        self._victims.update(victims)
        scope = anyio.CancelScope()
        self._recoveries[scope] = child
        self._runtime.start(self._restart, victims, delay_s, scope)

    def _victims_of(self, child: Slot | Supervisor) -> list[Slot | Supervisor]:
        """Return who is restarted with *child*, itself included, in start order.

        In a group, so is everybody who is down already: whoever was to revive
        them is cancelled for the sake of this restart.
        """
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [child]
        children = list(self.children.values())
        if self._strategy is Strategy.ONE_FOR_ALL:
            return children
        rest = self._victims.union(children[children.index(child) :])
        return [each for each in children if each in rest]

    async def _restart(
        self,
        victims: list[Slot | Supervisor],
        delay_s: float,
        scope: anyio.CancelScope,
    ) -> None:
        """Halt the victims, wait, revive them; the body of a recovery."""
        with scope:
            for child in _while_valid(scope, reversed(victims)):
                await child.halt()
            await self._runtime.sleep(delay_s)
            await self._revive(victims, scope)
        del self._recoveries[scope]

    async def _revive(
        self, victims: list[Slot | Supervisor], scope: anyio.CancelScope
    ) -> None:
        """Revive the victims in start order; a new fall among them cancels *scope*."""
        for child in _while_valid(scope, victims):
            self._victims.discard(child)
            await child.revive()

    def _escalate(self, child: Slot | Supervisor, error: Exception | None) -> None:
        """Give up: too many restarts; the parent decides."""
        policy = self._policy
        limit = RestartLimitError(child.path, policy.max_restarts, policy.window_s)
        limit.__cause__ = error
        log.error(
            "supervisor_escalating",
            supervisor=self.path or "/",
            actor=child.path,
            restarts=policy.max_restarts,
            window_s=policy.window_s,
        )
        self.state = State.RESTARTING
        self._cancel_recoveries()
        if self._parent is None:
            self._runtime.collapse(self._runtime, limit)
        elif not self._parent.fell(self, limit):
            self._runtime.start(self.kill)

    # -- as a child of its parent ---------------------------------------------

    async def halt(self) -> None:
        """End the incarnations of all children, the last started first."""
        if self.state in {State.STOPPING, State.STOPPED}:
            return
        if self.restart is Restart.TEMPORARY:
            await self.kill()
            return
        self.state = State.RESTARTING
        self._cancel_recoveries()
        for child in reversed(list(self.children.values())):
            await child.halt()

    async def revive(self) -> None:
        """Start all children again that had been started, the first one first."""
        if self.state is not State.RESTARTING:
            return
        self.state = State.RUNNING
        self._restarts += 1
        self._window.clear()
        children, scope = list(self.children.values()), anyio.CancelScope()
        self._victims.update(children)
        self._recoveries[scope] = None
        with scope:
            await self._revive(children, scope)
        del self._recoveries[scope]

    async def stop(self) -> None:
        """Stop all children for good in order, the last started first.

        From now on they take messages from each other only. If cancelled, they
        stop all the same.
        """
        if self._begin_stop():
            self._runtime.start(self._wind_down)
        await self._stopped.wait()

    async def _wind_down(self) -> None:
        """Stop the children one by one; each may still need the ones before it."""
        for child in reversed(list(self.children.values())):
            await child.stop()
        self._end()

    async def kill(self) -> None:
        """Stop all children for good without serving what waits, in order."""
        self._begin_stop()
        for child in reversed(list(self.children.values())):
            await child.kill()
        self._end()

    def kill_nowait(self) -> None:
        """Do as `kill` with all children at once, without waiting for the end."""
        self._begin_stop()
        for child in list(self.children.values()):
            child.kill_nowait()

    def gate(self) -> None:
        """Refuse messages from outside of actors, see `Slot.gate`."""
        for child in self.children.values():
            child.gate()

    def _begin_stop(self) -> bool:
        """Decide nothing any more; False when this had been said before."""
        if self.state in {State.STOPPING, State.STOPPED}:
            return False
        self.state = State.STOPPING
        self._cancel_recoveries()
        self.gate()
        return True

    def _end(self) -> None:
        """Note that no child is left."""
        if self.state is not State.STOPPED:
            self.state = State.STOPPED
            self._stopped.set()
            if self._parent is not None:
                self._parent.forget(self)

    def _cancel_recoveries(self) -> None:
        """Leave the fallen children where they are."""
        self._victims.clear()
        for scope in self._recoveries:
            scope.cancel()

    def snapshot(self) -> Snapshot:
        """Return what it and everything below it looks like now."""
        error = self._last_error
        return Snapshot(
            name=self.path.rpartition("/")[2],
            path=self.path or "/",
            kind="supervisor",
            state=self.state,
            strategy=self._strategy,
            restarts=self._restarts,
            last_error=None if error is None else type(error).__name__,
            children=tuple(each.snapshot() for each in self.children.values()),
        )


def _while_valid(
    scope: anyio.CancelScope, children: Iterable[Slot | Supervisor]
) -> Iterator[Slot | Supervisor]:
    """Iterate until *scope* was cancelled, whether or not that has arrived."""
    for child in children:
        if scope.cancel_called:
            return
        yield child
