"""SQLAlchemy Core, on asyncpg and aiosqlite.

As its documentation has it: one engine with a pool, ``begin()`` around a write,
``execute(insert, rows)`` for many rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .rows import CALLERS, Person, Target

__all__ = ["make"]

_sa: Any = import_module("sqlalchemy")
_asyncio: Any = import_module("sqlalchemy.ext.asyncio")
_postgresql: Any = import_module("sqlalchemy.dialects.postgresql")


class _SqlAlchemy:
    async def open(self, target: Target) -> None:
        is_sqlite = target.database == "sqlite"
        driver = "sqlite+aiosqlite" if is_sqlite else "postgresql+asyncpg"
        self._engine = _asyncio.create_async_engine(
            f"{driver}:{target.url.partition(':')[2]}",
            pool_size=CALLERS,
            max_overflow=0,
        )
        if is_sqlite:
            _sa.event.listens_for(self._engine.sync_engine, "connect")(_journal)
        self._table = _sa.Table(
            "people",
            _sa.MetaData(),
            _sa.Column("id", _sa.BigInteger, primary_key=True),
            _sa.Column("name", _sa.Text),
            _sa.Column("email", _sa.Text),
            _sa.Column("age", _sa.BigInteger),
            _sa.Column("price", _sa.Float),
            _sa.Column("active", _sa.Boolean),
            _sa.Column("created_at", _sa.DateTime(timezone=True)),
            _sa.Column("meta", _sa.JSON if is_sqlite else _postgresql.JSONB),
        )

    async def create(self, person: Person) -> object:
        async with self._engine.begin() as connection:
            result = await connection.execute(self._table.insert().values(**person))
        return result.inserted_primary_key

    async def read(self, key: int) -> object:
        select = self._table.select().where(self._table.c.id == key)
        async with self._engine.connect() as connection:
            return (await connection.execute(select)).mappings().one()

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        async with self._engine.begin() as connection:
            return await connection.execute(self._table.insert(), people)

    async def list_first(self, limit: int) -> object:
        select = self._table.select().order_by(self._table.c.id).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select)).mappings()
            return [dict(row) for row in rows]

    async def close(self) -> None:
        await self._engine.dispose()


def _journal(connection: Any, _: Any) -> None:  # noqa: ANN401
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def make() -> _SqlAlchemy:
    """Return the peer."""
    return _SqlAlchemy()
