"""The connections to a database, each of them audited."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import final

from ..drivers import Connection, Driver, LentDriver
from ..models import Model
from ._connection import AuditedConnection
from ._facts import Facts
from .sealing import MasterKeys

__all__ = ["AuditedDriver"]


@final
class AuditedDriver(LentDriver):
    """The connections to a database, each of them audited.

    Args:
        driver: They.
        model: What changes.
        facts: Who changes it.
        key: See `AuditedConnection`.
        masters: Likewise.
    """

    def __init__(
        self,
        driver: Driver,
        model: Model,
        facts: Facts,
        key: bytes | None,
        *,
        masters: MasterKeys | None = None,
    ) -> None:
        super().__init__(driver)
        self._model = model
        self._facts = facts
        self._key = key
        self._masters = masters

    @asynccontextmanager
    async def acquire(self, *, write: bool = True) -> AsyncGenerator[Connection]:
        """Give one use of a connection, see `Driver.acquire`."""
        async with self._driver.acquire(write=write) as connection:
            yield AuditedConnection(
                connection,
                self.dialect,
                self._model,
                self._facts,
                self._key,
                masters=self._masters,
            )
