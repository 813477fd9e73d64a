"""Which tables have triggers, or rules of rewriting, that are not of this library."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Final, final

from ....drivers import Driver
from ....models import Model
from ....sql import POSTGRESQL, Statement

__all__ = ["Triggers"]

_AGE_S: Final = 1.0
"""Seconds after which is looked again: somebody may have made one meanwhile."""

# One of a part of a table may be set off by a write to the table.
_POSTGRESQL: Final = r"""
    WITH RECURSIVE has (oid) AS (
        SELECT t.tgrelid FROM pg_catalog.pg_trigger AS t
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
            AND t.tgname NOT LIKE 'dataflow\_%'
        UNION SELECT c.oid FROM pg_catalog.pg_class AS c
        WHERE c.relhasrules AND c.relkind IN ('r', 'p')
        UNION SELECT i.inhparent
        FROM has JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = has.oid
    )
    SELECT DISTINCT c.relname::text
    FROM has JOIN pg_catalog.pg_class AS c ON c.oid = has.oid
    WHERE $1::text IS NULL OR c.relnamespace = (
        SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = $1
    )
    """
_SQLITE: Final = Statement(
    r"""
    SELECT DISTINCT tbl_name FROM main.sqlite_master
    WHERE type = 'trigger' AND name NOT LIKE 'dataflow\_%' ESCAPE '\'
    """,
    returns_rows=True,
)


@final
class Triggers:
    """Knows of which tables triggers of others hang, looked up now and again.

    Args:
        driver: Of which database.
        schema: Of which of its schemas; None for any, where a plain name may lead.
        clock: Tells the time in seconds, and never goes back.
    """

    def __init__(
        self,
        driver: Driver,
        clock: Callable[[], float] = time.monotonic,
        *,
        schema: str | None = None,
    ) -> None:
        self._driver = driver
        self._schema = schema
        self._clock = clock
        self._tables: frozenset[str] = frozenset()
        self._until = -inf

    async def reach(self, model: Model) -> bool:
        """Whether a write to rows of *model*, or of related ones, may set one off.

        If cancelled, nothing is left behind.

        Raises:
            DriverError: The database did not tell.
        """
        if self._clock() >= self._until:
            await self._look()
        tables = self._tables
        return bool(tables) and any(
            each.table.casefold() in tables for each in model.connected
        )

    async def _look(self) -> None:
        driver = self._driver
        statement = _SQLITE
        if driver.dialect is POSTGRESQL:
            statement = Statement(_POSTGRESQL, (self._schema,), returns_rows=True)
        until = self._clock() + _AGE_S
        async with driver.acquire(write=False) as connection:
            (result,) = await connection.run((statement,))
        self._tables = frozenset(str(name).casefold() for (name,) in result.rows)
        self._until = until
