"""The connections to a database, each of them audited."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar, Literal, final

from ..drivers import Connection, DatabaseUrl, Driver, PoolStatistics
from ..models import Model
from ..sql import Dialect
from ._connection import AuditedConnection
from ._facts import Facts

__all__ = ["AuditedDriver"]


@final
class AuditedDriver:
    """The connections to a database, each of them audited.

    Args:
        driver: They.
        model: What changes.
        facts: Who changes it.
        key: See `AuditedConnection`.
    """

    backends: ClassVar[frozenset[Literal["asyncio", "trio"]]] = frozenset()

    def __init__(
        self, driver: Driver, model: Model, facts: Facts, key: bytes | None
    ) -> None:
        self._driver = driver
        self._model = model
        self._facts = facts
        self._key = key

    @property
    def url(self) -> DatabaseUrl:
        """Where the database is."""
        return self._driver.url

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        return self._driver.dialect

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield AuditedConnection(
                connection, self.dialect, self._model, self._facts, self._key
            )

    def capacity(self, *, write: bool = True) -> int:
        """Return how many leases there may be at once."""
        return self._driver.capacity(write=write)

    def statistics(self) -> PoolStatistics:
        """Return the numbers of this moment."""
        return self._driver.statistics()

    async def aclose(self) -> None:
        """Do nothing: the connections belong to somebody else."""
