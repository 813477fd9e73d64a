"""kailash-dataflow, by its Express calls, which it recommends for single operations.

Its cache is off: what is measured is the database. It manages the times itself, so
its table is one of its own making, to which the unique email is added.
"""

from __future__ import annotations

import logging
import sqlite3
from importlib import import_module
from typing import Any

from .rows import Person, Target, new_people

__all__ = ["make"]


class _Kailash:
    async def open(self, target: Target) -> None:
        logging.disable(logging.CRITICAL)
        dataflow: Any = import_module("dataflow")
        self._db = dataflow.DataFlow(target.url, cache_enabled=False)
        self._db.model(
            type(
                "Person",
                (),
                {
                    "__annotations__": {
                        "name": str,
                        "email": str,
                        "age": int,
                        "price": float,
                        "active": bool,
                        "meta": dict,
                    }
                },
            )
        )
        self._express = self._db.express
        await self.create(new_people(1)[0])  # makes the table
        await _add_unique(target)

    async def create(self, person: Person) -> object:
        return await self._express.create("Person", _without_times(person))

    async def read(self, key: int) -> object:
        return _found(await self._express.read("Person", key, cache_ttl=0))

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        rows = [_without_times(person) for person in people]
        return await self._express.bulk_create("Person", rows)

    async def list_first(self, limit: int) -> object:
        listed: list[Any] = await self._express.list(
            "Person", limit=limit, order_by="id", cache_ttl=0
        )
        if len(listed) != limit:
            msg = f"it lists {len(listed)} of {limit} rows"
            raise RuntimeError(msg)
        return listed

    async def close(self) -> None:
        await self._db.close_async()


def _without_times(person: Person) -> Person:
    return {name: value for name, value in person.items() if name != "created_at"}


def _found(row: object) -> object:
    if row is None:
        msg = "it does not find the row"
        raise RuntimeError(msg)
    return row


async def _add_unique(target: Target) -> None:
    text = "CREATE UNIQUE INDEX people_email ON people (email)"
    if target.database == "sqlite":
        client = sqlite3.connect(target.path)
        client.execute(text)
        client.close()
        return
    asyncpg: Any = import_module("asyncpg")
    connection = await asyncpg.connect(target.url)
    await connection.execute(text)
    await connection.close()


def make() -> _Kailash:
    """Return the peer."""
    return _Kailash()
