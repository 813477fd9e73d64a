"""What all actors of one system share."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import copy_context
from random import Random
from typing import Any, final

import anyio
from anyio.abc import TaskGroup

from ...messages import Envelope, acting
from ...telemetry import get_log
from .._dead_letters import DeadLetter, DeadLetters, Reason
from .._interceptor import Interceptor
from .._signal import NewSignal

__all__ = ["Runtime", "log", "watch"]

log = get_log("dataflow.actors")

_SHORTEST_LOOK_S = 0.001
"""Seconds between two looks at the pending asks, at least."""
_ALWAYS_TOLD = frozenset({Reason.DROPPED, Reason.POISON})
"""Reasons that matter to an operator also when the sender is told."""


@final
class Runtime:
    """The services that the actors of one system share.

    Args:
        tasks: Where every task of the system lives.
        interceptors: Around the handler of every actor.
        dead_letters: Where lost messages go.
        collapse: Told when the root supervisor has given up.
        sleep: Waits, in seconds; the delays of restarts.
        random: Source of jitter.
        teardown_s: Longest teardown, in seconds.
        poison_after: Crashes by one message before it is a dead letter.
        new_signal: Makes what a task waits for; `anyio.Event` if None.
        new_arrival: Makes what an actor without messages waits for; as *new_signal* if
            None.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        *,
        interceptors: Sequence[Interceptor],
        dead_letters: DeadLetters,
        collapse: Callable[[Runtime, Exception], None],
        sleep: Callable[[float], Awaitable[None]],
        random: Random,
        teardown_s: float,
        poison_after: int,
        new_signal: NewSignal | None,
        new_arrival: NewSignal | None = None,
    ) -> None:
        self.asks: dict[Envelope, str] = {}
        # The class that `anyio.Event()` looks up each time: 0.5 instead of 1.2 µs,
        # and an ask takes two.
        self.new_signal: NewSignal = new_signal or type(anyio.Event())
        self.new_arrival = new_arrival or self.new_signal
        self.interceptors = interceptors
        self.dead_letters = dead_letters
        self.collapse = collapse
        self.sleep = sleep
        self.random = random
        self.teardown_s = teardown_s
        self.poison_after = poison_after
        self._tasks = tasks
        self._context = copy_context()
        # Nor do actors act for whoever happened to start the system.
        self._context.run(acting.set, None)

    def start(
        self, function: Callable[..., Coroutine[Any, Any, None]], *args: object
    ) -> None:
        """Start a task that knows nothing of the task that happens to start it.

        A new task copies the context variables of its starter; those of the
        first sender of an actor would stay with the actor for good.
        """
        self._context.copy().run(lambda: self._tasks.start_soon(function, *args))

    def bury(
        self, envelope: Envelope, actor: str, reason: Reason, error: BaseException
    ) -> None:
        """Fail a message for good; a dead letter unless the sender knows enough."""
        is_awaited = envelope.on_done is not None
        envelope.fail(error)
        if reason in _ALWAYS_TOLD or not is_awaited:
            letter = DeadLetter(
                message=envelope.message,
                actor=actor,
                reason=reason,
                error=error,
                attempts=envelope.attempt,
            )
            self.dead_letters.record(letter)


async def watch(
    asks: dict[Envelope, str],
    after_s: float,
    sleep: Callable[[float], Awaitable[None]],
    scope: anyio.CancelScope,
) -> None:
    """Log each ask that is older than *after_s* seconds, once, until cancelled.

    The event names the actors that wait, outermost first, then those that are
    waited for: the last one is where to look.
    """
    known: set[Envelope] = set()
    with scope:
        while True:
            await sleep(max(after_s / 10, _SHORTEST_LOOK_S))
            known.intersection_update(asks)
            _report(asks, after_s, known)


def _report(asks: dict[Envelope, str], after_s: float, known: set[Envelope]) -> None:
    """Log the asks that are old and not *known*; these are known then."""
    now = time.monotonic()
    for envelope, actor in asks.items():
        age_s = now - envelope.sent_at
        if age_s >= after_s and envelope not in known:
            known.add(envelope)
            chain = (*envelope.chain, *_awaited(asks, actor))
            log.warning("ask_waiting", actor=actor, age_s=age_s, chain=chain)


def _awaited(asks: dict[Envelope, str], actor: str) -> list[str]:
    """Follow who waits for whom, from *actor* on."""
    waits_for = {ask.chain[-1]: path for ask, path in asks.items() if ask.chain}
    path = [actor]
    while (following := waits_for.get(path[-1])) is not None and following not in path:
        path.append(following)
    return path
