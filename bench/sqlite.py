"""SQLite alone: aiosqlite for single rows and lists, sqlite3 itself for many.

Both sides journal alike: WAL, ``synchronous=NORMAL``.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import aiosqlite
from people import (
    ALL,
    COLUMNS,
    INSERT_SQLITE,
    READ_SQLITE,
    TABLE,
    Person,
    declare,
    from_sqlite,
    to_sqlite,
)
from raw import YOUNG, Raw

from dataflow import DataFlow

__all__ = ["RawSqlite", "opened", "set_journal"]

_LIST: Final = f"SELECT {', '.join(ALL)} FROM {TABLE} ORDER BY id LIMIT ?"  # noqa: S608
_LIST_BEHIND: Final = (
    f"SELECT {', '.join(ALL)} FROM {TABLE} WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
)
_INSERT_ALL: Final = (
    f"INSERT INTO {TABLE} ({', '.join(ALL)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
)
_UPDATE: Final = f"UPDATE {TABLE} SET name = ?, age = ?, price = ? WHERE id = ?"  # noqa: S608
_SETS: Final = ", ".join(f"{each} = excluded.{each}" for each in COLUMNS)
_UPSERT: Final = f"{INSERT_SQLITE} ON CONFLICT (email) DO UPDATE SET {_SETS}"


class RawSqlite:
    """aiosqlite and sqlite3 alone; see `Raw`.

    Args:
        client: A connection of aiosqlite.
        many: A connection of sqlite3 that begins no transactions by itself.
    """

    place: Final = "SQLite, asyncio"
    against: Final[Mapping[str, str]] = {
        "create": "aiosqlite, execute, commit",
        "read": "aiosqlite, execute, fetchone",
        "update": "aiosqlite, execute, commit",
        "delete": "aiosqlite, execute, commit",
        "shared_create": "aiosqlite, commit each",
        "shared_read": "aiosqlite, execute, fetchone",
        "list_first": "aiosqlite, execute_fetchall, to dicts",
        "bulk_create": "sqlite3, executemany from dicts",
        "bulk_create_ids": "sqlite3, keys reserved, executemany",
        "bulk_update": "sqlite3, executemany",
        "bulk_update_filter": "sqlite3, UPDATE",
        "bulk_upsert": "sqlite3, executemany ON CONFLICT",
        "bulk_delete": "sqlite3, DELETE IN json_each",
        "bulk_delete_filter": "sqlite3, DELETE",
    }

    def __init__(self, client: aiosqlite.Connection, many: sqlite3.Connection) -> None:
        self._client = client
        self._many = many
        self._lock = asyncio.Lock()

    async def servers(self) -> Sequence[int]:
        """Return none: it is done here."""
        return ()

    async def create(self, person: Person) -> None:
        """Store one row."""
        await self._client.execute(INSERT_SQLITE, to_sqlite(person))
        await self._client.commit()

    async def read(self, key: int) -> object:
        """Fetch one row."""
        async with self._client.execute(READ_SQLITE, (key,)) as cursor:
            return await cursor.fetchone()

    def read_in_one_hop(self, key: int) -> Awaitable[object]:
        """Fetch one row, by the call that goes to aiosqlite's thread once."""
        return self._client.execute_fetchall(READ_SQLITE, (key,))

    async def update(self, key: int, age: int) -> None:
        """Change a row."""
        text = f"UPDATE {TABLE} SET age = ? WHERE id = ?"  # noqa: S608
        await self._client.execute(text, (age, key))
        await self._client.commit()

    async def delete(self, key: int) -> None:
        """Delete one row."""
        text = f"DELETE FROM {TABLE} WHERE id = ?"  # noqa: S608
        await self._client.execute(text, (key,))
        await self._client.commit()

    async def shared_create(self, person: Person) -> None:
        """Store one row in a transaction of its own.

        Tasks share the connection, hence the lock: without it they share transactions
        too, and who rolls back undoes what others did.
        """
        async with self._lock:
            await self.create(person)

    def shared_read(self, key: int) -> Awaitable[object]:
        """Fetch one row; tasks share the connection, as aiosqlite allows."""
        return self.read(key)

    async def list_first(self, limit: int) -> list[Person]:
        """Fetch the first rows."""
        rows = await self._client.execute_fetchall(_LIST, (limit,))
        return [from_sqlite(row) for row in rows]

    async def list_behind(self, key: int, limit: int) -> list[Person]:
        """Fetch the first rows behind a key."""
        rows = await self._client.execute_fetchall(_LIST_BEHIND, (key, limit))
        return [from_sqlite(row) for row in rows]

    async def bulk_create(self, people: Sequence[Person]) -> None:
        """Store rows in one transaction, each converted when its turn comes."""
        with self._transaction():
            self._many.executemany(INSERT_SQLITE, map(to_sqlite, people))

    async def bulk_create_ids(self, people: Sequence[Person]) -> Sequence[int]:
        """Store rows under the keys that come next."""
        with self._transaction():
            text = "SELECT seq FROM sqlite_sequence WHERE name = ?"
            row = self._many.execute(text, (TABLE,)).fetchone()
            first = row[0] + 1 if row else 1
            keys = range(first, first + len(people))
            pairs = zip(keys, people, strict=True)
            rows = ((key, *to_sqlite(person)) for key, person in pairs)
            self._many.executemany(_INSERT_ALL, rows)
        return list(keys)

    async def bulk_update(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Change rows in one transaction."""
        rows = map(itemgetter("name", "age", "price", "id"), changes)
        with self._transaction():
            self._many.executemany(_UPDATE, rows)

    async def bulk_update_filter(self) -> None:
        """Change rows by one statement."""
        text = f"UPDATE {TABLE} SET active = 0 WHERE age < ?"  # noqa: S608
        self._many.execute(text, (YOUNG,))

    async def bulk_upsert(self, people: Sequence[Person]) -> None:
        """Store or change rows in one transaction."""
        with self._transaction():
            self._many.executemany(_UPSERT, map(to_sqlite, people))

    async def bulk_delete(self, keys: Sequence[int]) -> None:
        """Delete rows by one array of keys, a third faster than by executemany."""
        which = "id IN (SELECT value FROM json_each(?))"
        text = f"DELETE FROM {TABLE} WHERE {which}"  # noqa: S608
        self._many.execute(text, (json.dumps(keys),))

    async def bulk_delete_filter(self) -> None:
        """Delete rows by one statement."""
        text = f"DELETE FROM {TABLE} WHERE age < ?"  # noqa: S608
        self._many.execute(text, (YOUNG,))

    async def fill(self, people: Sequence[Person]) -> list[int]:
        """Make these the only rows, and the journal empty."""
        with self._transaction():
            self._many.execute(f"DELETE FROM {TABLE}")  # noqa: S608
            self._many.execute("DELETE FROM sqlite_sequence")
        await self.bulk_create(people)
        self._many.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return list(range(1, len(people) + 1))

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._many.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._many.execute("ROLLBACK")
            raise
        self._many.execute("COMMIT")


async def set_journal(client: aiosqlite.Connection, many: sqlite3.Connection) -> None:
    """Have both connections journal as ours does."""
    for pragma in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"):
        await client.execute(pragma)
        many.execute(pragma)


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[Raw, DataFlow]]:
    """Give both sides, on one table that ours has made in a file of a new folder."""
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        path = Path(folder) / "bench.db"
        async with DataFlow(f"sqlite:///{path}") as db:
            declare(db)
            await db.initialize()
            async with aiosqlite.connect(path) as client:
                with closing(sqlite3.connect(path, isolation_level=None)) as many:
                    await set_journal(client, many)
                    yield RawSqlite(client, many), db
