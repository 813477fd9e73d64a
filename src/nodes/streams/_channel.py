"""Between the actor of a stream and whoever reads it.

Rules of this file:

1. A channel belongs to the event loop of the actor, which says so by `serving`. Only
   `leave` may be called by any thread.
2. One batch waits for the reader. The actor holds the next one, and its connection,
   until there is room: that is the back-pressure. The last one need not wait.
3. The end, and what went wrong, come behind the batches before. A stream that was cut
   never looks like one that came to its end.
4. Whatever makes a stream pointless cancels the actor's scope, so that the connection
   is free at once: the reader left, the engine stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any, Final, TypeAlias, final

import anyio

from ...errors import ClosedError, StreamIdleError
from .._changes import Changes

__all__ = ["STREAM", "Batch", "Channel", "Channels", "Post"]

Batch: TypeAlias = Sequence[dict[str, Any]]
"""Records that travel together."""

Post = Callable[[Callable[[], object]], object]
"""Has a function called soon on the event loop of the actor, by any thread."""

STREAM: Final = "the stream"
"""What errors call one."""


@final
class Channel:
    """One stream, seen from both ends; made by the reader, served by an actor.

    Attributes:
        n_taken: Records the reader has taken; the reader counts, from any thread.
        is_fresh: Whether nothing was put yet.
    """

    def __init__(self) -> None:
        self.n_taken = 0
        self.is_fresh = True
        self._batches: deque[Batch] = deque()
        self._error: Exception | None = None
        self._is_left = False
        self._is_over = False
        self._thread: int | None = None
        self._post: Post | None = None
        self._scope: anyio.CancelScope | None = None
        self._changes = Changes()

    # -- for the actor ----------------------------------------------------------

    @contextmanager
    def serving(self, post: Post) -> Generator[None]:
        """Serve the reader inside the block, which is cancelled when that is in vain.

        An error leaves the block, and is what the reader gets.
        """
        self._thread, self._post = get_ident(), post
        try:
            with anyio.CancelScope() as self._scope:
                if self._is_left:  # before it knew where to
                    self._scope.cancel()
                yield
                self._is_over = True
        except Exception as error:
            self._error = self._error or error
            raise
        finally:
            self._scope = None
            if not self._is_over and self._error is None:
                self._error = ClosedError(STREAM)
            self._changes.tell()

    async def put(self, batch: Batch, model: str, idle_s: float, *, last: bool) -> None:
        """Hand over a batch, when the one before was taken unless it is the *last*.

        Raises:
            StreamIdleError: The reader took no record for *idle_s* seconds.
        """
        while self._batches and not last:
            n_taken = self.n_taken
            with anyio.move_on_after(idle_s) as idle:
                await self._changes.wait()
            if idle.cancelled_caught and self._batches and self.n_taken == n_taken:
                raise StreamIdleError(model, idle_s)
        self.is_fresh = False
        self._batches.append(batch)
        self._changes.tell()

    def end(self, error: Exception) -> None:
        """End it now; the reader gets what waits, and then *error*."""
        self._error = self._error or error
        if self._scope is not None:
            self._scope.cancel()

    # -- for the reader ---------------------------------------------------------

    @property
    def is_served(self) -> bool:
        """Whether an actor has, or had, anything to do with it."""
        return self._thread is not None

    @property
    def is_here(self) -> bool:
        """Whether the actor is on the event loop of the caller."""
        return self._thread == get_ident()

    async def take(self) -> Batch | None:
        """Return the next batch, or None at the end.

        If cancelled, nothing was taken.

        Raises:
            Exception: What kept the actor from going on.
            ClosedError: It was left, or ended before its end.
            RuntimeError: The actor is on another event loop.
        """
        if not self.is_here:
            msg = "a stream is read on the event loop on which it was begun"
            raise RuntimeError(msg)
        while not self._batches:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            await self._changes.wait()
        batch = self._batches.popleft()
        self._changes.tell()
        return batch

    def leave(self) -> None:
        """Say, by any thread, that nobody reads any more; idempotent."""
        self._is_left = True
        if self.is_here:
            self._abandon()
        elif self._post is not None:
            with suppress(RuntimeError):  # the event loop is gone, and so is the actor
                self._post(self._abandon)

    async def released(self) -> None:
        """Wait until the actor holds nothing for it any more."""
        while self._scope is not None:
            await self._changes.wait()

    # -- within -----------------------------------------------------------------

    def _abandon(self) -> None:
        self._batches.clear()
        self.end(ClosedError(STREAM))


@final
class Channels:
    """The streams of one database that are being read, to end them with it.

    Args:
        post: Has a function called soon on the event loop of the actors.
        on_end: Called when one has ended.
    """

    def __init__(self, post: Post, on_end: Callable[[], object] | None = None) -> None:
        self._post = post
        self._on_end = on_end
        self._open: set[Channel] = set()
        self._is_closed = False

    @contextmanager
    def serving(self, channel: Channel) -> Generator[None]:
        """Do what `Channel.serving` does, and know the channel meanwhile.

        Raises:
            ClosedError: They are closed.
        """
        if self._is_closed:
            raise ClosedError(STREAM)
        self._open.add(channel)
        try:
            with channel.serving(self._post):
                yield
        finally:
            self._open.discard(channel)
            if self._on_end is not None:
                self._on_end()

    @property
    def is_idle(self) -> bool:
        """Whether none is being read."""
        return not self._open

    def close(self) -> None:
        """End them all; whoever reads one gets a `ClosedError`."""
        self._is_closed = True
        for channel in self._open:
            channel.end(ClosedError(STREAM))
