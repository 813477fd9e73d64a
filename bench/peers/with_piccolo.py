"""Piccolo: a table, its ``insert`` and ``select``, with its connection pool."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from .rows import CALLERS, Person, Target

__all__ = ["make"]

_columns: Any = import_module("piccolo.columns")
_table: Any = import_module("piccolo.table")

_BATCH: Final = 1_000
"""Rows of one INSERT: it may have 32767 parameters."""


class _Piccolo:
    async def open(self, target: Target) -> None:
        self._engine = _engine(target)
        json = _columns.JSON if target.database == "sqlite" else _columns.JSONB
        key = _columns.Serial if target.database == "sqlite" else _columns.BigSerial
        self._people: Any = _table.create_table_class(
            "People",
            class_kwargs={"tablename": "people", "db": self._engine},
            class_members={
                "id": key(primary_key=True),
                "name": _columns.Text(),
                "email": _columns.Text(unique=True),
                "age": _columns.BigInt(),
                "price": _columns.DoublePrecision(),
                "active": _columns.Boolean(),
                "created_at": _columns.Timestamptz(),
                "meta": json(),
            },
        )
        self._has_pool = target.database == "postgresql"
        if self._has_pool:
            await self._engine.start_connection_pool(min_size=CALLERS, max_size=CALLERS)

    async def create(self, person: Person) -> object:
        return await self._people.insert(self._people(**person))

    async def read(self, key: int) -> object:
        people = self._people
        query = people.select().where(people.id == key).first()
        return await query.output(load_json=True)

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        async with self._engine.transaction():
            for first in range(0, len(people), _BATCH):
                batch = people[first : first + _BATCH]
                await self._people.insert(*[self._people(**each) for each in batch])
        return None

    async def list_first(self, limit: int) -> object:
        people = self._people
        query = people.select().order_by(people.id).limit(limit)
        return await query.output(load_json=True)

    async def close(self) -> None:
        if self._has_pool:
            await self._engine.close_connection_pool()


def _engine(target: Target) -> Any:  # noqa: ANN401
    if target.database == "sqlite":
        return import_module("piccolo.engine.sqlite").SQLiteEngine(path=target.path)
    return import_module("piccolo.engine.postgres").PostgresEngine(
        config={
            "host": target.host,
            "port": target.port,
            "user": target.user,
            "password": target.password,
            "database": target.name,
        }
    )


def make() -> _Piccolo:
    """Return the peer."""
    return _Piccolo()
