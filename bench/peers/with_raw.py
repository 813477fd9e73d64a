"""The clients alone; this runs in the environment of the benchmarks."""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack, closing
from importlib import import_module
from typing import Any

import aiosqlite
import postgresql
import sqlite
from raw import Raw

from .rows import CALLERS, Person, Target

__all__ = ["make"]


class _Raw:
    async def open(self, target: Target) -> None:
        self._stack = AsyncExitStack()
        if target.database == "sqlite":
            self._raw: Raw = await self._sqlite(target.path)
        else:
            self._raw = await self._postgresql(target.url)

    async def _sqlite(self, path: str) -> Raw:
        client = await self._stack.enter_async_context(aiosqlite.connect(path))
        many = sqlite3.connect(path, isolation_level=None)
        self._stack.enter_context(closing(many))
        await sqlite.set_journal(client, many)
        return sqlite.RawSqlite(client, many)

    async def _postgresql(self, url: str) -> Raw:
        asyncpg: Any = import_module("asyncpg")
        client = await asyncpg.connect(url)
        self._stack.push_async_callback(client.close)
        pool = await self._stack.enter_async_context(
            asyncpg.create_pool(url, min_size=CALLERS, max_size=CALLERS)
        )
        prepared = await postgresql.prepare(client)
        return postgresql.RawPostgresql(client, pool, prepared)

    async def create(self, person: Person) -> object:
        return await self._raw.create(person)

    async def read(self, key: int) -> object:
        return await self._raw.read(key)

    async def shared_create(self, person: Person) -> object:
        return await self._raw.shared_create(person)

    async def shared_read(self, key: int) -> object:
        return await self._raw.shared_read(key)

    async def bulk_create(self, people: list[Person]) -> object:
        await self._raw.bulk_create(people)
        return None

    async def list_first(self, limit: int) -> object:
        return await self._raw.list_first(limit)

    async def close(self) -> None:
        await self._stack.aclose()


def make() -> _Raw:
    """Return the peer."""
    return _Raw()
