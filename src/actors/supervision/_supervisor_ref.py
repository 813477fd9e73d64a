"""The handle of a supervisor, through which everybody else uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from .._actor import Factory
from .._interceptor import Interceptor
from .._lanes import Lanes
from .._mailbox import Overflow
from .._ref import ActorRef, refuse_own_turn
from .._restart import Restart, RestartPolicy, Strategy
from ._supervisor import Supervisor

__all__ = ["SupervisorRef"]


@final
class SupervisorRef:
    """The handle of a supervisor."""

    __slots__ = ("_supervisor", "path")

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.path = supervisor.path

    def __repr__(self) -> str:
        return f"SupervisorRef({self.path!r})"

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
        """Make a place for an actor below this one, see `ActorSystem.spawn`."""
        return self._supervisor.spawn(
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
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        policy: RestartPolicy | None = None,
        restart: Restart = Restart.PERMANENT,
    ) -> SupervisorRef:
        """Make a supervisor below this one, see `ActorSystem.supervisor`."""
        child = self._supervisor.supervise(
            name, strategy=strategy, policy=policy, restart=restart
        )
        return SupervisorRef(child)

    async def stop(self) -> None:
        """Stop everything below for good, in order; its name is free then.

        The last started child stops first: it takes no more messages, serves
        those it has, and is torn down. If cancelled, all stop all the same.

        Raises:
            DeadlockError: Called from a handler of an actor below it.
        """
        refuse_own_turn(self.path)
        await self._supervisor.stop()
