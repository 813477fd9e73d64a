"""The engines that somebody entered, one per event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from threading import get_ident
from types import TracebackType
from typing import NamedTuple, final

from ._engine import Engine

__all__ = ["Engines"]


class _Entered(NamedTuple):
    engine: Engine
    stack: AsyncExitStack


@final
class Engines:
    """Enters and leaves an engine on the running event loop, and finds it again.

    An event loop is told by its thread, which runs one at a time: asking for the
    thread takes 50 ns, asking for the loop a microsecond.

    Args:
        hosting: Makes an engine the host of its event loop while inside.
    """

    def __init__(
        self, hosting: Callable[[Engine], AbstractContextManager[None]]
    ) -> None:
        self._hosting = hosting
        self._entered: dict[int, _Entered | None] = {}

    def current(self) -> Engine | None:
        """Return the engine entered on this event loop, or None."""
        entered = self._entered.get(get_ident())
        return None if entered is None else entered.engine

    async def enter(self) -> None:
        """Start an engine on the running event loop.

        If cancelled, nothing is left.

        Raises:
            RuntimeError: There is one here already.
        """
        thread = get_ident()
        if thread in self._entered:
            msg = "entered already on this event loop: leave it before you enter again"
            raise RuntimeError(msg)
        self._entered[thread] = None
        try:
            async with AsyncExitStack() as stack:
                engine = await stack.enter_async_context(Engine())
                stack.enter_context(self._hosting(engine))
                self._entered[thread] = _Entered(engine, stack.pop_all())
        finally:
            if self._entered[thread] is None:
                del self._entered[thread]

    async def leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Stop the engine of this event loop; the arguments are those of a block."""
        thread = get_ident()
        entered = self._entered[thread]
        assert entered is not None, "left without being entered"  # noqa: S101
        try:
            return await entered.stack.__aexit__(kind, error, trace)
        finally:
            del self._entered[thread]
