"""A share of the connections of another driver."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
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

    def acquire(self, *, write: bool = True) -> AbstractAsyncContextManager[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        return _Use(self._free, self._driver.acquire(write=write))

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return min(self._limit, self._driver.capacity(write=write))


@final
class _Use(AbstractAsyncContextManager[Connection]):
    """One use; written out, for a generator would cost as much as the rest."""

    __slots__ = ("_free", "_lease")

    def __init__(
        self, free: anyio.Semaphore, lease: AbstractAsyncContextManager[Connection]
    ) -> None:
        self._free = free
        self._lease = lease

    async def __aenter__(self) -> Connection:
        await self._free.acquire()
        try:
            return await self._lease.__aenter__()
        except BaseException:
            self._free.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        try:
            return await self._lease.__aexit__(kind, error, trace)
        finally:
            self._free.release()
