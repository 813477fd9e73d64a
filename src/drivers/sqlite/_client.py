"""A connection of aiosqlite, as much of it as is used: its thread, and the way there.

aiosqlite's own methods hop to the thread for each step, so the functions of
`SqliteThread` go through its private `_execute`, the only way. Its thread is made a
daemon, lest a connection that nobody closed keeps the process alive.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Thread
from typing import Any, Final, Protocol, TypeVar

import anyio

from ._thread import SqliteThread

__all__ = ["LOOK_EVERY_S", "Client", "make_client", "open_client", "see_end"]

T = TypeVar("T")

LOOK_EVERY_S: Final = 0.001
"""Seconds between two looks at a thread that is about to end."""


class Client(Protocol):
    """As much of `aiosqlite.Connection` as is used, see the top of the file."""

    _thread: Thread

    async def _execute(self, fn: Callable[..., T], *args: object) -> T: ...

    async def close(self) -> None: ...

    def stop(self) -> object: ...

    def __await__(self) -> Generator[Any, None, object]: ...


def make_client(thread: SqliteThread) -> Client:
    """Return a connection for the functions of *thread*, not open yet."""
    import aiosqlite  # noqa: PLC0415

    client = aiosqlite.Connection(thread.open, iter_chunk_size=1)
    client._thread.daemon = True  # noqa: SLF001  # see the top of the file
    return client


async def open_client(client: Client) -> None:
    """Start its thread, and open the database there."""
    await client


async def see_end(client: Client) -> None:
    """Wait for a thread that was told to stop, which aiosqlite does not.

    It speaks to the event loop to the last, so the loop must not close before.
    """
    while client._thread.is_alive():  # noqa: SLF001, ASYNC110  # it has no event
        await anyio.sleep(LOOK_EVERY_S)
