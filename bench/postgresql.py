"""PostgreSQL through asyncpg alone: prepared statements, COPY and staging tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from operator import itemgetter
from typing import Any, Final

from people import (
    ALL,
    COLUMNS,
    INSERT_POSTGRESQL,
    READ_POSTGRESQL,
    RETURNING_ALL,
    TABLE,
    Person,
    declare,
    from_postgresql,
    to_postgresql,
)
from raw import YOUNG, Raw

from dataflow import DataFlow

__all__ = ["INSERT_KEY", "POOL", "RawPostgresql", "opened", "prepare"]

POOL: Final = 20
"""Connections of the pool that many tasks share."""

INSERT_KEY: Final = f"{INSERT_POSTGRESQL} RETURNING id"

_COLUMNS: Final = ", ".join(COLUMNS)
_CHANGED: Final = ("id", "name", "age", "price")

_UPDATE: Final = f"UPDATE {TABLE} SET age = $2 WHERE id = $1{RETURNING_ALL}"  # noqa: S608
_LIST: Final = f"SELECT {', '.join(ALL)} FROM {TABLE} ORDER BY id LIMIT $1"  # noqa: S608

_LIST_BEHIND: Final = (
    f"SELECT {', '.join(ALL)} FROM {TABLE} WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608
)

# Sequences are made by the table's own DDL; the keys come as one array, not as rows.
_RESERVE: Final = f"""
SELECT array_agg(nextval(pg_get_serial_sequence('{TABLE}', 'id')))
FROM generate_series(1, $1)
"""  # noqa: S608

# Kept from call to call: making one costs a few rows of the catalogue each time.
_STAGE_CHANGES: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_changes
(id bigint, name text, age bigint, price double precision) ON COMMIT DELETE ROWS
"""
_APPLY_CHANGES: Final = f"""
UPDATE {TABLE} SET name = staged.name, age = staged.age, price = staged.price
FROM staged_changes AS staged WHERE {TABLE}.id = staged.id
"""  # noqa: S608
_STAGE_PEOPLE: Final = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS staged_people ON COMMIT DELETE ROWS
AS SELECT {_COLUMNS} FROM {TABLE} WITH NO DATA
"""  # noqa: S608
_SETS: Final = ", ".join(f"{each} = excluded.{each}" for each in COLUMNS)
_MERGE_PEOPLE: Final = f"""
INSERT INTO {TABLE} ({_COLUMNS}) SELECT {_COLUMNS} FROM staged_people
ON CONFLICT (email) DO UPDATE SET {_SETS}
"""  # noqa: S608

_asyncpg: Any = import_module("asyncpg")  # it has no types


class RawPostgresql:
    """asyncpg alone; see `Raw`.

    Args:
        client: A connection that nobody else uses.
        pool: For many tasks, or None if there are none.
        prepared: Statements of `client` by method.
    """

    place: Final = "PostgreSQL, asyncio"
    against: Final[Mapping[str, str]] = {
        "create": "asyncpg, prepared, RETURNING id",
        "read": "asyncpg, prepared",
        "update": "asyncpg, prepared, RETURNING all",
        "delete": "asyncpg, prepared",
        "shared_create": f"asyncpg, pool of {POOL}",
        "shared_read": f"asyncpg, pool of {POOL}",
        "list_first": "asyncpg, prepared, to dicts",
        "bulk_create": "asyncpg, COPY from dicts",
        "bulk_create_ids": "asyncpg, keys reserved, COPY",
        "bulk_update": "asyncpg, staging COPY, UPDATE",
        "bulk_update_filter": "asyncpg, UPDATE",
        "bulk_upsert": "asyncpg, staging COPY, ON CONFLICT",
        "bulk_delete": "asyncpg, DELETE = ANY",
        "bulk_delete_filter": "asyncpg, DELETE",
    }

    # asyncpg has no types.
    def __init__(self, client: Any, pool: Any, prepared: Mapping[str, Any]) -> None:  # noqa: ANN401
        self._client = client
        self._pool = pool
        self._create = prepared["create"].fetchval
        self._read = prepared["read"].fetchrow
        self._update = prepared["update"].fetchrow
        self._delete = prepared["delete"].fetchval
        self._list = prepared["list"].fetch
        self._list_behind = prepared["list_behind"].fetch

    async def servers(self) -> Sequence[int]:
        """Return the process of each connection, where they are on this machine."""
        backends = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        return [row[0] for row in await self._client.fetch(backends)]

    def create(self, person: Person) -> Awaitable[object]:
        """Store one row and return its key."""
        done: Awaitable[object] = self._create(*to_postgresql(person))
        return done

    def read(self, key: int) -> Awaitable[object]:
        """Fetch one record."""
        done: Awaitable[object] = self._read(key)
        return done

    def update(self, key: int, age: int) -> Awaitable[object]:
        """Change a row and return it."""
        done: Awaitable[object] = self._update(key, age)
        return done

    def delete(self, key: int) -> Awaitable[object]:
        """Delete one row."""
        done: Awaitable[object] = self._delete(key)
        return done

    def shared_create(self, person: Person) -> Awaitable[object]:
        """Store one row through the pool."""
        done: Awaitable[object] = self._pool.fetchval(
            INSERT_KEY, *to_postgresql(person)
        )
        return done

    def shared_read(self, key: int) -> Awaitable[object]:
        """Fetch one record through the pool."""
        done: Awaitable[object] = self._pool.fetchrow(READ_POSTGRESQL, key)
        return done

    async def list_first(self, limit: int) -> list[Person]:
        """Fetch the first rows."""
        return [from_postgresql(record) for record in await self._list(limit)]

    async def list_behind(self, key: int, limit: int) -> list[Person]:
        """Fetch the first rows behind a key."""
        records = await self._list_behind(key, limit)
        return [from_postgresql(record) for record in records]

    async def bulk_create(self, people: Sequence[Person]) -> None:
        """COPY, each row converted when its turn comes."""
        await self._copy(TABLE, map(to_postgresql, people), COLUMNS)

    async def bulk_create_ids(self, people: Sequence[Person]) -> Sequence[int]:
        """Take keys from the sequence, then COPY with them."""
        keys: list[int] = await self._client.fetchval(_RESERVE, len(people))
        pairs = zip(keys, people, strict=True)
        await self._copy(
            TABLE, ((key, *to_postgresql(person)) for key, person in pairs), ALL
        )
        return keys

    async def bulk_update(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """COPY into a staging table, then one UPDATE."""
        async with self._client.transaction():
            await self._client.execute(_STAGE_CHANGES)
            rows = map(itemgetter(*_CHANGED), changes)
            await self._copy("staged_changes", rows, _CHANGED)
            await self._client.execute(_APPLY_CHANGES)

    async def bulk_update_filter(self) -> None:
        """Change rows by one statement."""
        await self._client.execute(
            f"UPDATE {TABLE} SET active = false WHERE age < $1",  # noqa: S608
            YOUNG,
        )

    async def bulk_upsert(self, people: Sequence[Person]) -> None:
        """COPY into a staging table, then one INSERT."""
        async with self._client.transaction():
            await self._client.execute(_STAGE_PEOPLE)
            await self._copy("staged_people", map(to_postgresql, people), COLUMNS)
            await self._client.execute(_MERGE_PEOPLE)

    async def bulk_delete(self, keys: Sequence[int]) -> None:
        """Delete rows by one array of keys."""
        await self._client.execute(
            f"DELETE FROM {TABLE} WHERE id = ANY($1::bigint[])",  # noqa: S608
            keys,
        )

    async def bulk_delete_filter(self) -> None:
        """Delete rows by one statement."""
        await self._client.execute(
            f"DELETE FROM {TABLE} WHERE age < $1",  # noqa: S608
            YOUNG,
        )

    async def fill(self, people: Sequence[Person]) -> list[int]:
        """Make these the only rows; the planner is told of them."""
        await self._client.execute(f"TRUNCATE {TABLE} RESTART IDENTITY")
        if people:
            await self.bulk_create(people)
            await self._client.execute(f"ANALYZE {TABLE}")
        return list(range(1, len(people) + 1))

    async def _copy(self, table: str, records: Any, columns: Sequence[str]) -> None:  # noqa: ANN401
        await self._client.copy_records_to_table(
            table, records=records, columns=columns
        )


async def prepare(client: Any) -> dict[str, Any]:  # noqa: ANN401  # asyncpg has no types
    """Return the statements that `RawPostgresql` runs on *client*."""
    texts = {
        "create": INSERT_KEY,
        "read": READ_POSTGRESQL,
        "update": _UPDATE,
        "delete": f"DELETE FROM {TABLE} WHERE id = $1",  # noqa: S608
        "list": _LIST,
        "list_behind": _LIST_BEHIND,
    }
    return {name: await client.prepare(text) for name, text in texts.items()}


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[tuple[Raw, DataFlow]]:
    """Give both sides, on one table that ours has made anew.

    The server's autovacuum leaves the table alone: it would come to one side and not
    to the other.
    """
    client = await _asyncpg.connect(url)
    try:
        await client.execute(f"DROP TABLE IF EXISTS {TABLE}")
        async with (
            DataFlow(url) as db,
            _asyncpg.create_pool(url, min_size=0, max_size=POOL) as pool,
        ):
            declare(db)
            await db.initialize()
            await client.execute(f"ALTER TABLE {TABLE} SET (autovacuum_enabled = off)")
            yield RawPostgresql(client, pool, await prepare(client)), db
    finally:
        await client.close()
