"""What PostgreSQL did for a statement, as it tells itself, before that is committed.

It asks nobody beforehand, as SQLite does. But a transaction holds a lock on every table
that it read, wrote or altered, by whatever trigger, rule or function, and counts the
rows that it wrote. So that is looked at afterwards, and undone if it is not permitted.

Source: PostgreSQL 18, §13.3.1 "Table-Level Locks", §27.2.1 `pg_stat_xact_all_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, final

from ..drivers import Connection
from ..sql import Permits, Statement, Touch

__all__ = ["Watch"]

# Numbers of earlier transactions of the session may still be in there. A lock on a
# catalogue is given back at once, so it is by its numbers that a change of one is seen.
_COUNTED: Final = Statement(
    """
    SELECT relid, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_all_tables
    WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
    """,
    returns_rows=True,
)
# What is deferred to the commit would come after the look.
_NOW: Final = Statement("SET CONSTRAINTS ALL IMMEDIATE")

# A part of another table counts as that one.
_SEEN: Final = Statement(
    """
    WITH RECURSIVE locked AS (
        SELECT l.relation AS oid, bool_or(l.mode = 'AccessShareLock') AS is_read,
            bool_or(l.mode = 'RowExclusiveLock') AS is_written,
            bool_or(l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock',
                'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            ) AS is_altered
        FROM pg_catalog.pg_locks AS l
        WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'
            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                WHERE d.datname = pg_catalog.current_database())
        GROUP BY l.relation
    ), seen AS (
        SELECT c.oid, c.relkind, n.nspname = 'pg_catalog' AS is_system,
            coalesce(is_read, false) AS is_read,
            coalesce(is_written, false) AS is_written,
            coalesce(is_altered, false) AS is_altered,
            pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) AS n_created,
            pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) AS n_updated,
            pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS n_deleted
        FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN locked ON locked.oid = c.oid
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND n.nspname NOT IN ('information_schema', 'pg_toast')
    ), up (oid, above) AS (
        SELECT oid, oid FROM seen
        WHERE is_read OR is_written OR is_altered OR n_created + n_updated + n_deleted > 0
        UNION SELECT up.oid, i.inhparent
        FROM up JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = up.above
    )
    SELECT seen.oid, root.relname::text, is_system, is_read, is_written, is_altered,
        seen.relkind <> 'f' AND pg_catalog.current_setting('track_counts')::boolean,
        n_created, n_updated, n_deleted
    FROM seen JOIN up ON up.oid = seen.oid
        JOIN pg_catalog.pg_class AS root ON root.oid = up.above
    WHERE NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = up.above
    )
    """,
    returns_rows=True,
)
_WRITES: Final = ("create", "update", "delete")


@final
class Watch:
    """Looks at what one transaction does, between its begin and its commit.

    Args:
        connection: Where; a transaction is open.
        permits: Says what is permitted.
        reads: Whether PostgreSQL sees to it that nothing is written.
    """

    def __init__(
        self, connection: Connection, permits: Permits, *, reads: bool
    ) -> None:
        self._connection = connection
        self._permits = permits
        self._reads = reads
        self._before: Mapping[int, Sequence[int]] = {}

    async def begin(self) -> None:
        """Note what was counted before."""
        if not self._reads:
            (result,) = await self._connection.run((_COUNTED,))
            self._before = {row[0]: tuple(row)[1:] for row in result.rows}

    async def check(self) -> None:
        """Check what was done since.

        Raises:
            Exception: It is not permitted, and must be undone.
        """
        if not self._reads:
            await self._connection.run((_NOW,))
        (result,) = await self._connection.run((_SEEN,))
        for touch in dict.fromkeys(
            touch for row in result.rows for touch in self._touches(row)
        ):
            error = self._permits(touch)
            if error is not None:
                raise error

    def _touches(self, row: Sequence[Any]) -> Iterator[Touch]:
        oid, name, is_system, is_read, is_written, is_altered, is_counted, *counts = row
        if is_read and not is_system:  # everybody reads the catalogues
            yield Touch("read", name)
        if is_altered and not is_system:
            yield Touch("schema", name)
            yield Touch("delete", name)
        if self._reads:
            return  # what is counted was so before
        before = self._before.get(oid, (0, 0, 0))
        for action, count, earlier in zip(_WRITES, counts, before, strict=True):
            # Whoever makes functions, roles or large objects writes to a catalogue.
            if count > earlier or (is_written and not (is_counted or is_system)):
                yield Touch(action, name)
