"""The bridge: asyncio clients on whatever event loop is current.

asyncpg and aiosqlite speak asyncio only. On Trio the bridge keeps an asyncio loop
inside the Trio one (trio-asyncio) and runs each *operation* on it as one asyncio
task: a crossing costs about 90 us, so an operation does all its steps over there.
Shields and time limits stay on this side, as anyio cancel scopes.

A cancellation is delivered to the operation again and again until it ends, as
anyio does on asyncio: asyncpg's `executemany` swallows the first one.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import anyio

from ..errors import MissingExtraError

if TYPE_CHECKING:
    # Where no event loop runs yet, asyncio is 20 of the 110 ms of `import dataflow`.
    import asyncio

    from ._signal import FutureSignal, TrioSignal

__all__ = ["GRACE_S", "Bridge", "open_bridge"]

T = TypeVar("T")

GRACE_S: Final = 2.0
"""Seconds a cancelled operation may take to leave things in order.

After that its connection is cut. Long enough for a cancel request to reach a
server far away, short enough for a shutdown.
"""

_NAG_S: Final = 0.01
"""Seconds between two deliveries of a cancellation to an asyncio task."""


@final
class Bridge:
    """Runs asyncio functions on the current event loop; any task may use it.

    Args:
        loop: The asyncio loop inside Trio's; None where asyncio is current.

    Attributes:
        new_signal: Makes what one task waits for, once, on the current event loop.
        new_arrival: Makes the same for a task that often gets it as soon as others run.
    """

    __slots__ = ("_loop", "new_arrival", "new_signal")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        from ._signal import (  # noqa: PLC0415  see above
            FutureSignal,
            LingeringSignal,
            TrioSignal,
        )

        self._loop = loop
        self.new_signal: type[FutureSignal | TrioSignal] = (
            FutureSignal if loop is None else TrioSignal.prepare()
        )
        # Trio runs tasks in an order of chance: half of the time it gains nothing.
        self.new_arrival: type[LingeringSignal | TrioSignal] = (
            LingeringSignal if loop is None else TrioSignal
        )

    def call(
        self, function: Callable[..., Awaitable[T]], *args: object
    ) -> Awaitable[T]:
        """Return an awaitable that runs ``function(*args)`` to its result.

        On asyncio that is the coroutine itself, at no cost. A cancellation passes
        into it; when it ends all the same, its result wins over the cancellation.
        """
        if self._loop is None:
            return function(*args)
        return _cross(_started(function(*args), self._loop))

    def poster(self) -> Callable[[Callable[[], object]], object]:
        """Return what has a function called soon on this event loop, by any thread.

        What is returned raises a RuntimeError once the event loop is closed.
        """
        import asyncio  # noqa: PLC0415  see above

        loop = asyncio.get_running_loop() if self._loop is None else self._loop
        return loop.call_soon_threadsafe

    async def finish(
        self,
        give_up: Callable[[], None],
        function: Callable[..., Awaitable[T]],
        *args: object,
    ) -> T:
        """Run ``function(*args)`` so that a cancellation does not reach it.

        If cancelled, it goes on for at most `GRACE_S`, then *give_up* must end it;
        the cancellation is raised after that, whatever came of the function.
        """
        task = _started(function(*args), self._loop)
        task.add_done_callback(_look)
        try:
            await self.call(_ended, task)
        except BaseException:
            with anyio.move_on_after(GRACE_S, shield=True):
                await self.call(_ended, task)
            if not task.done():
                give_up()
            raise
        return task.result()


def _started(
    operation: Awaitable[T], loop: asyncio.AbstractEventLoop | None
) -> asyncio.Task[T]:
    """Start *operation* as an asyncio task."""
    import asyncio  # noqa: PLC0415  see the top

    started: Any = asyncio.ensure_future(operation, loop=loop)
    task: asyncio.Task[T] = started
    return task


def _look(task: asyncio.Task[Any]) -> None:
    """Look at the error of an abandoned task, lest asyncio reports it as unseen."""
    if not task.cancelled():
        task.exception()


async def _ended(task: asyncio.Task[Any]) -> None:
    """Wait for *task*; unlike awaiting it, this does not pass a cancellation on."""
    import asyncio  # noqa: PLC0415  see the top

    if not task.done():
        await asyncio.wait([task])


async def _cross(task: asyncio.Task[T]) -> T:
    """Wait on Trio for an asyncio task, nagging it once we are cancelled."""
    import asyncio  # noqa: PLC0415  see the top

    import outcome  # noqa: PLC0415  # a part of trio
    import trio  # noqa: PLC0415

    waiting = trio.lowlevel.current_task()
    raise_cancel: Callable[[], object] | None = None

    def wake(_: asyncio.Task[T]) -> None:
        trio.lowlevel.reschedule(waiting, outcome.capture(task.result))

    def abort(raise_cancelled: Callable[[], object]) -> trio.lowlevel.Abort:
        nonlocal raise_cancel
        raise_cancel = raise_cancelled
        nag()
        return trio.lowlevel.Abort.FAILED  # `wake` comes once the task has ended

    def nag() -> None:
        if not task.done():
            task.cancel()
            task.get_loop().call_later(_NAG_S, nag)

    task.add_done_callback(wake)
    try:
        result: T = await trio.lowlevel.wait_task_rescheduled(abort)
    except asyncio.CancelledError as error:
        if raise_cancel is None:
            raise
        raise_cancel()
        raise AssertionError from error  # pragma: no cover  # it always raises
    return result


@asynccontextmanager
async def open_bridge() -> AsyncGenerator[Bridge]:
    """Let asyncio clients run in this block, on whatever event loop is current.

    Enter it once, outside of everything that uses a driver, and leave it after the
    drivers are closed: leaving ends every asyncio task. Exceptions of the block
    pass unchanged, not in a group.

    Raises:
        MissingExtraError: On Trio, when trio-asyncio is not installed.
    """
    if _is_on_trio():
        async with _TrioLoop() as loop:
            yield Bridge(loop)
    else:
        yield Bridge()


def _is_on_trio() -> bool:
    """Whether Trio runs this task.

    asyncio cannot be asked: inside another bridge on Trio it says that its loop runs.
    """
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())


@final
class _TrioLoop:
    """The asyncio loop of trio-asyncio, kept from seeing the block's exception.

    Its nurseries would wrap the exception in groups.
    """

    def __init__(self) -> None:
        try:
            open_loop = _import_open_loop()
        except ImportError as error:
            feature = "running on trio"
            raise MissingExtraError(feature, "trio") from error
        self._manager = open_loop()

    async def __aenter__(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = await self._manager.__aenter__()
        return loop

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._manager.__aexit__(None, None, None)


def _import_open_loop() -> Callable[[], AbstractAsyncContextManager[Any]]:
    """Import trio-asyncio without what it does to those who do not use it.

    Once imported, it runs every later asyncio program of the process on top of Trio,
    except in threads where a policy was set. So the one there was becomes that of every
    thread that sets none: threads with an event loop of their own come later.
    """
    trio_asyncio: Any = import_module("trio_asyncio")  # it has no types
    with suppress(AttributeError):  # private; without it asyncio works, but slower
        loops: Any = import_module("trio_asyncio._loop")
        if loops._FakedPolicy.policy is None:  # noqa: SLF001
            loops._FakedPolicy.policy = loops._original_policy  # noqa: SLF001
    open_loop: Callable[[], AbstractAsyncContextManager[Any]] = trio_asyncio.open_loop
    return open_loop
