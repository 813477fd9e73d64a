"""psycopg 3, through its pool, in binary; many rows by its COPY."""

from __future__ import annotations

from importlib import import_module
from operator import itemgetter
from typing import Any, Final

from .rows import CALLERS, COLUMNS, CannotError, Person, Target

__all__ = ["make"]

_pool: Any = import_module("psycopg_pool")
_rows: Any = import_module("psycopg.rows")
_json: Any = import_module("psycopg.types.json")

_NAMES: Final = ", ".join(COLUMNS)
_INSERT: Final = (
    f"INSERT INTO people ({_NAMES}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
    " RETURNING id"
)
_ALL: Final = f"SELECT id, {_NAMES} FROM people"  # noqa: S608
_TYPES: Final = ("text", "text", "int8", "float8", "bool", "timestamptz", "jsonb")
_values: Final = itemgetter(*COLUMNS[:-1])


class _Psycopg:
    async def open(self, target: Target) -> None:
        if target.database == "sqlite":
            reason = "psycopg is for PostgreSQL only"
            raise CannotError(reason)
        self._pool = _pool.AsyncConnectionPool(
            target.url,
            min_size=CALLERS,
            max_size=CALLERS,
            kwargs={"row_factory": _rows.dict_row},
            open=False,
        )
        await self._pool.open(wait=True)

    async def create(self, person: Person) -> object:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_INSERT, _adapted(person))
            return await cursor.fetchone()

    async def read(self, key: int) -> object:
        async with self._pool.connection() as connection:
            text = f"{_ALL} WHERE id = %s"
            cursor = await connection.execute(text, (key,), binary=True)
            return await cursor.fetchone()

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        text = f"COPY people ({_NAMES}) FROM STDIN (FORMAT BINARY)"
        async with (
            self._pool.connection() as connection,
            connection.cursor() as cursor,
            cursor.copy(text) as copy,
        ):
            copy.set_types(_TYPES)
            for person in people:
                await copy.write_row(_adapted(person))
        return None

    async def list_first(self, limit: int) -> object:
        async with self._pool.connection() as connection:
            text = f"{_ALL} ORDER BY id LIMIT %s"
            cursor = await connection.execute(text, (limit,), binary=True)
            return await cursor.fetchall()

    async def close(self) -> None:
        await self._pool.close()


def _adapted(person: Person) -> tuple[Any, ...]:
    return (*_values(person), _json.Jsonb(person["meta"]))


def make() -> _Psycopg:
    """Return the peer."""
    return _Psycopg()
