"""One database as nodes see it: where it is, and the rules of the way there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import final

from ..actors import Interceptor
from ..drivers import DatabaseUrl, Driver
from ..models import Model

__all__ = ["Database", "Prepare"]

Prepare = Callable[[Driver, Model], Awaitable[object]]
"""Makes the table of a model ready before its first use."""


@final
class Database:
    """A database that nodes belong to; the same one on every event loop.

    It holds no connection: each `Engine` that runs its nodes has its own pool.

    Args:
        url: Where it is.
        pool_size: Connections an engine may hold.
        echo: Whether to log each statement's text.
        interceptors: Layers around every node actor, sealed from here on.
        prepare: Runs once per engine and model before its first message; None
            leaves the schema alone.

    Attributes:
        is_closed: Whether it takes no more work.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        pool_size: int = 20,
        echo: bool = False,
        interceptors: Sequence[Interceptor] = (),
        prepare: Prepare | None = None,
    ) -> None:
        self.url = url
        self.pool_size = pool_size
        self.echo = echo
        self.interceptors = tuple(interceptors)
        self.prepare = prepare
        self.is_closed = False

    def __repr__(self) -> str:
        return f"<Database {self.url.safe}>"
