"""The base of all actors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from ..errors import DataFlowError
from ._interceptor import Interceptor
from ._lanes import Lanes
from ._mailbox import Overflow
from ._ref import ActorRef
from ._restart import Restart
from ._turn import Turn

__all__ = ["Actor", "ActorContext", "ActorCrash", "Factory", "System"]


class ActorCrash(DataFlowError):  # noqa: N818  an order to the runtime, not a finding
    """Raise it in a handler to crash the actor instead of failing the message.

    For when the actor cannot go on as it is: its connection is lost, its state
    is in doubt. Its supervisor makes a new one.
    """


class Actor:
    """A task that owns its state and reads one mailbox.

    Only its own task touches the state, so a subclass needs no lock. Override
    `receive` to work on one message at a time, or `handle` to work on all that
    wait, `turn_size` at most. An instance is one incarnation: after a crash the
    factory makes another one, for the same mailbox.

    Attributes:
        turn_size: Most messages in one turn.
        workers: Most incarnations at work at the same time, each an instance of its
            own; they share the mailbox, so with more than one the order in which
            messages are worked on is lost. The second and later ones come when
            messages wait.
        share_from: Messages that wait, from which on the first worker leaves half of
            them to the second if that is free; 0 if it is to take all it can.
        patience_s: Longest that a message waits for a worker that is busy, in
            seconds, before another one comes.
        crash_on: Errors of a handler that crash the actor rather than fail the
            message.
        context: Its place in the system; set before `setup`.
    """

    turn_size: int = 1
    workers: int = 1
    share_from: int = 0
    patience_s: float = 0.002
    crash_on: tuple[type[Exception], ...] = (ActorCrash,)
    context: ActorContext

    async def setup(self) -> None:
        """Prepare an incarnation; an error here is a crash.

        Runs with the first message and on each restart. If cancelled, or if it
        raises, it must clean up after itself: `teardown` will not run.
        """

    # Any, so that an actor can say which messages it takes, and what it replies.
    async def receive(self, message: Any) -> Any:  # noqa: ANN401  see above
        """Work on one message and return the reply.

        An error fails this message only, see `crash_on`. It is cancelled when
        nobody waits for the message any more.
        """
        raise NotImplementedError

    async def handle(self, turn: Turn) -> None:
        """Resolve every envelope of a turn, by `receive`, one after the other.

        An error that escapes fails what is left of the turn, see `crash_on`. It
        is cancelled when nobody waits for any message of the turn any more.
        """
        for envelope in turn.taken:
            if envelope.is_done or envelope.is_abandoned:
                continue
            try:
                envelope.reply(await self.receive(envelope.message))
            except self.crash_on:
                raise
            except Exception as error:  # noqa: BLE001  it is the sender's to handle
                envelope.fail(error)

    async def teardown(self) -> None:
        """Release what `setup` took; an error here is only logged.

        Runs when an incarnation ends whose `setup` returned, shielded from
        cancellation and limited to the `teardown_s` of the system.
        """


Factory = Callable[[], Actor]
"""Makes an incarnation; called at the start and on each restart."""


class System(Protocol):
    """What an actor can do with the system it lives in."""

    def spawn(
        self,
        factory: Factory,
        name: str,
        *,
        restart: Restart = ...,
        mailbox_size: int = ...,
        overflow: Overflow = ...,
        interceptors: Sequence[Interceptor] = ...,
        lanes: Lanes | None = ...,
    ) -> ActorRef:
        """Make a place for an actor directly below the root."""
        ...

    def find(self, path: str) -> ActorRef:
        """Return the address of an actor by its path."""
        ...

    def stop(self, target: ActorRef) -> Awaitable[None]:
        """Stop another actor for good, in order."""
        ...


class ActorContext:
    """The place of an actor in its system.

    Attributes:
        path: Names from the root down, such as ``/nodes/User``.
        ref: Its own address.
        system: To start and find other actors.
    """

    __slots__ = ("_finish", "path", "ref", "system")

    def __init__(
        self, ref: ActorRef, system: System, finish: Callable[[], None]
    ) -> None:
        self.path = ref.path
        self.ref = ref
        self.system = system
        self._finish = finish

    def finish(self) -> None:
        """End this actor normally, after the messages it has.

        A permanent actor is restarted, after the message in hand; any other
        stops for good.
        """
        self._finish()
