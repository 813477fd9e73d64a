"""A host of this process for code that entered none.

One daemon thread runs an event loop and a host on it; plain synchronous code,
and event loops without a host of their own, send their calls there.

* It starts with the first call, and again after a fork or when its host has died.
* It ends with the program. `atexit` would be too late: Python first joins all
  threads that are not daemons, and an open SQLite connection may be one. So one
  more thread waits for the main thread to end, and then closes the host.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar, final

import anyio
from anyio.to_thread import run_sync

from ..errors import ClosedError
from ..nodes import Host
from ..telemetry import get_log
from ._current import hosting
from ._plugs import HostFactory, plugs
from .running import detach

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["call_background", "call_background_sync", "close_background"]

P = ParamSpec("P")
T = TypeVar("T")

_CLOSE_S: Final = 5.0
"""How long the host may take to close before it is cancelled, in seconds."""

_EXIT_S: Final = 10.0
"""How long a program waits for all of that before it ends anyway, in seconds."""

_NAME: Final = "the background host"

log = get_log("dataflow.workflow")


@final
class _Background:
    """A thread, its event loop and its host; starts when made.

    Args:
        make_host: Makes the host; it is entered and left on the thread.
    """

    def __init__(self, make_host: HostFactory) -> None:
        self.is_open = True
        self._make_host = make_host
        self._entered: Future[tuple[BlockingPortal, Host]] = Future()
        self._scope: anyio.CancelScope
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name="dataflow-background", daemon=True
        )
        self._thread.start()
        threading.Thread(
            target=self._close_at_exit, name="dataflow-closer", daemon=False
        ).start()

    def submit(
        self,
        function: Callable[Concatenate[Host, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Start a call once the host is up; cancelling the future cancels the call.

        Raises:
            ClosedError: The host is closed, or died; then the cause says of what.
            RuntimeError: Called from the thread itself, which would wait for ever.
            Exception: Whatever kept the host from starting.
        """
        if threading.current_thread() is self._thread:
            msg = "this would wait for the event loop it runs on: await it instead"
            raise RuntimeError(msg)
        portal, host = self._entered.result()

        async def call() -> T:
            detach()
            return await function(host, *args, **kwargs)

        try:
            return portal.start_task_soon(call)
        except RuntimeError:
            raise ClosedError(_NAME) from self._error

    def wait(self, future: Future[T]) -> T:
        """Return the outcome of a call; whoever stops waiting cancels it."""
        try:
            return future.result()
        except CancelledError:
            if not self.is_open:
                # Calls end before the host does, and only then its error is known.
                self._thread.join(_EXIT_S)
            raise ClosedError(_NAME) from self._error
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what runs, close the host, and wait for both, within bounds."""
        self.is_open = False
        with suppress(Exception):  # It never started, or ends already.
            portal, _ = self._entered.result()
            portal.start_task_soon(self._stop, portal)
        self._thread.join(_EXIT_S)

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except BaseException as error:  # noqa: BLE001  # the thread ends; all are told
            self._error = error
            self.is_open = False
        if self._error is None:
            return
        if self._entered.done():
            log.error("background_host_failed", error=type(self._error).__name__)
        else:
            self._entered.set_exception(self._error)

    async def _serve(self) -> None:
        from anyio.from_thread import BlockingPortal  # noqa: PLC0415  # not at start

        with anyio.CancelScope() as self._scope:
            async with self._make_host() as host, BlockingPortal() as portal:
                with hosting(host):
                    self._entered.set_result((portal, host))
                    try:
                        await portal.sleep_until_stopped()
                    finally:
                        self.is_open = False

    async def _stop(self, portal: BlockingPortal) -> None:
        self._scope.deadline = anyio.current_time() + _CLOSE_S
        await portal.stop(cancel_remaining=True)

    def _close_at_exit(self) -> None:
        threading.main_thread().join()
        self.close()


@final
class _Process:
    """What there is once in a process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a forked child has neither the thread nor its lock."""
        self._lock = threading.Lock()
        self._background: _Background | None = None

    def background(self) -> _Background:
        """Return the background host; start it if it does not run."""
        with self._lock:
            if self._background is None or not self._background.is_open:
                self._background = _Background(plugs.host)
            return self._background

    def close(self) -> None:
        """Close the background host if it runs."""
        with self._lock:
            background, self._background = self._background, None
        if background is not None:
            background.close()


_process = _Process()
if sys.platform != "win32":  # pragma: no branch  # Windows has no fork
    os.register_at_fork(after_in_child=_process.forget)


def call_background_sync(
    function: Callable[Concatenate[Host, P], Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call *function* with the background host, and wait for what it returns.

    From any thread, also one whose event loop is running; that loop stands still
    meanwhile. If interrupted, by Ctrl-C say, the call is cancelled and not waited
    for.

    Raises:
        ClosedError: The host was closed, or died; the cause says of what.
    """
    background = _process.background()
    return background.wait(background.submit(function, *args, **kwargs))


async def call_background(
    function: Callable[Concatenate[Host, P], Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call *function* with the background host, from any event loop.

    If cancelled, the call is cancelled and not waited for. A worker thread waits
    for it; anyio's default limiter bounds how many do (40).

    Raises:
        ClosedError: The host was closed, or died; the cause says of what.
    """
    left: Future[None] = Future()

    def call() -> T:
        background = _process.background()
        future = background.submit(function, *args, **kwargs)
        left.add_done_callback(lambda _: future.cancel())
        return background.wait(future)

    try:
        return await run_sync(call, abandon_on_cancel=True)
    finally:
        left.cancel()


def close_background() -> None:
    """Cancel what runs in the background and close its host; idempotent.

    The next call starts a new one. Needed only to release connections before the
    program ends, which does the same.
    """
    _process.close()
