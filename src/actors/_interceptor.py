"""Interceptors: layers around a handler, composed once and sealed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial, reduce
from typing import Protocol

from ._turn import Turn

__all__ = ["Handler", "Interceptor", "compose", "nothing_left"]

Handler = Callable[[Turn], Awaitable[None]]
"""Works on a turn and resolves its envelopes."""


class Interceptor(Protocol):
    """A layer around a handler, on the receiving side of the mailbox.

    It may refuse single messages of the turn and pass the rest on, answer them
    itself, or raise, which fails every message that is unresolved. It awaits
    *call_next* at most once, and not at all when nothing is left of the turn.
    """

    def __call__(self, turn: Turn, call_next: Handler) -> Awaitable[None]:
        """Handle *turn*, by way of *call_next* or not; usually an ``async def``.

        One that only looks may return what *call_next* gives: each coroutine in
        between costs a microsecond a turn.
        """
        ...


async def nothing_left() -> None:
    """Be what a layer returns that has nothing of a turn to pass on."""


def compose(interceptors: Sequence[Interceptor], handler: Handler) -> Handler:
    """Wrap *handler* in *interceptors*, the first of them outermost."""

    def wrap(inner: Handler, outer: Interceptor) -> Handler:
        return partial(outer, call_next=inner)

    return reduce(wrap, reversed(interceptors), handler)
