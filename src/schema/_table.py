"""The table of a model: its statements, and seeing to it that it is there."""

from __future__ import annotations

from typing import Final

from anyio import to_thread

from ..drivers import Driver
from ..models import Model
from ..sql import Dialect, Result, Statement

__all__ = ["ensure_table", "has_table", "table_statements"]

_LOOK: Final = {
    # By itself to_regclass() may still answer from the cache of before the lock;
    # naming a table takes a lock on it, and that brings the cache up to date.
    # Source: PostgreSQL, src/backend/storage/lmgr/lmgr.c, LockRelationOid.
    "postgresql": "SELECT to_regclass($1) IS NOT NULL FROM pg_catalog.pg_namespace "
    "LIMIT 1",
    # Names of tables and views are compared without case, as SQLite does.
    "sqlite": "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE "
    "type IN ('table', 'view') AND name = ?1 COLLATE NOCASE)",
}
# Freed at the end of the transaction. SQLite's writer has the only lock there is.
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


def table_statements(model: Model, dialect: Dialect) -> list[Statement]:
    """Return the statements that create the table of *model*, in order.

    ``CREATE TABLE`` leaves an existing table alone; the indexes behind it do not
    look: an index of that name elsewhere is an error, not silently none.
    """
    from ._ddl import create_table  # noqa: PLC0415  # imports SQLAlchemy, 0.3 s

    return create_table(model, dialect)


async def has_table(driver: Driver, model: Model) -> bool:
    """Return whether there is a table or view of the name that *model* has.

    Raises:
        DriverError: The database could not be read.
    """
    look = _look(model, driver.dialect)
    async with driver.acquire(write=False) as connection:
        return _is_there(await connection.run([look]))


async def ensure_table(driver: Driver, model: Model) -> bool:
    """Create the table of *model* with its indexes, unless there is one.

    A table or view of that name is left as it is, whatever its columns. Many tasks
    and processes may call this at once: one creates, the others wait for it. If
    cancelled, either all of the table is there or nothing.

    The table of a model that others made is never created.

    Returns:
        Whether this call created it.

    Raises:
        DriverError: The database refused, or could not be reached.
    """
    if model.is_foreign:
        return False
    dialect = driver.dialect
    look = _look(model, dialect)
    async with driver.acquire(write=False) as connection:
        if _is_there(await connection.run([look])):
            return False
    # In a thread, so that importing SQLAlchemy does not hold up the event loop.
    statements = await to_thread.run_sync(table_statements, model, dialect)
    async with driver.acquire() as connection, connection.transaction():
        if _is_there(await connection.run([*_locks(model, dialect), look])):
            return False
        await connection.run(statements)
    return True


def _look(model: Model, dialect: Dialect) -> Statement:
    is_quoted = dialect.name == "postgresql"
    name = dialect.quote(model.table) if is_quoted else model.table
    return Statement(_LOOK[dialect.name], (name,), returns_rows=True)


def _locks(model: Model, dialect: Dialect) -> list[Statement]:
    if dialect.name != "postgresql":
        return []
    return [Statement(_LOCK, (f"dataflow table {model.table}",), returns_rows=True)]


def _is_there(results: list[Result]) -> bool:
    return bool(results[-1].rows[0][0])
