"""A driver over the connections of another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Literal

from ..sql import Dialect
from ._driver import Connection, Driver
from ._pool import PoolStatistics
from ._url import DatabaseUrl

__all__ = ["LentDriver"]


class LentDriver(ABC):
    """Gives the connections of another driver, changed on their way; closes none.

    Args:
        driver: Whose connections they are.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset()

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def url(self) -> DatabaseUrl:
        """Where the database is."""
        return self._driver.url

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._driver.dialect

    @abstractmethod
    def acquire(self, *, write: bool = True) -> AbstractAsyncContextManager[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return self._driver.capacity(write=write)

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return self._driver.statistics()

    async def aclose(self) -> None:  # noqa: B027  # nothing is its own
        """Do nothing: the connections belong to somebody else."""
