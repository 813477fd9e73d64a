"""A share of the connections of another driver."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import final

import anyio

from ._driver import Connection, Driver
from ._lent import LentDriver

__all__ = ["PoolShare"]


@final
class PoolShare(LentDriver):
    """Gives connections of another driver, so many at once and no more.

    Who asks for one more waits, first come, first served. If cancelled while it waits,
    it has taken nothing.

    Args:
        driver: Whose connections they are.
        limit: How many at once.
    """

    def __init__(self, driver: Driver, limit: int) -> None:
        super().__init__(driver)
        self._limit = limit
        self._free = anyio.Semaphore(limit, fast_acquire=True)

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        async with self._free, self._driver.acquire(write=write) as connection:
            yield connection

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return min(self._limit, self._driver.capacity(write=write))
