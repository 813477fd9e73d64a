"""The table of a model: its statements, and seeing to it that it is there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from anyio import to_thread

from ..drivers import Driver
from ..models import Model
from ..sql import Dialect, Result, Statement, qualified

__all__ = ["ensure_table", "has_table", "table_statements", "tables_statements"]

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


def tables_statements(models: Sequence[Model], dialect: Dialect) -> list[Statement]:
    """Return the statements that create the tables of several models, in order.

    Raises:
        ModelError: A foreign key cannot be resolved.
    """
    from ._ddl import create_tables  # noqa: PLC0415  # imports SQLAlchemy, 0.3 s

    return create_tables(models, dialect)


async def has_table(driver: Driver, model: Model) -> bool:
    """Return whether there is a table or view of the name that *model* has.

    Raises:
        DriverError: The database could not be read.
    """
    look = _look(model, driver.dialect)
    async with driver.acquire(write=False) as connection:
        return not _missing([model], await connection.run([look]))


async def ensure_table(driver: Driver, model: Model) -> bool:
    """Create the table of *model* with its indexes, unless there is one.

    The tables of all models that relations lead to are created with it: a foreign key
    needs the table it refers to, and a filter may ask for related rows.

    A table or view of that name is left as it is, whatever its columns. Many tasks
    and processes may call this at once: one creates, the others wait for it. If
    cancelled, either all that was missing is there or nothing.

    The table of a model that others made is never created.

    Returns:
        Whether this call created the table of *model*.

    Raises:
        ModelError: A foreign key, its own or of a related model, cannot be resolved.
        DriverError: The database refused, or could not be reached.
    """
    if model.is_foreign:
        return False
    dialect = driver.dialect
    by_table: dict[str, Model] = {}
    for each in model.connected:  # a model that was declared anew is there twice
        if not each.is_foreign:
            by_table.setdefault(each.table, each)
    # Whoever creates tables takes their locks in this order: none waits in a circle.
    models = [by_table[table] for table in sorted(by_table)]
    looks = [_look(each, dialect) for each in models]
    async with driver.acquire(write=False) as connection:
        if not _missing(models, await connection.run(looks)):
            return False
    # In a thread, so that importing SQLAlchemy, 0.3 s, does not hold up the event loop.
    await to_thread.run_sync(import_module, f"{__package__}._ddl")
    locks = [lock for each in models for lock in _locks(each, dialect)]
    async with driver.acquire() as connection, connection.transaction():
        results = await connection.run([*locks, *looks])
        missing = _missing(models, results[len(locks) :])
        if missing:
            await connection.run(tables_statements(missing, dialect))
    return model in missing


def _look(model: Model, dialect: Dialect) -> Statement:
    is_quoted = dialect.name == "postgresql"
    name = qualified(model, dialect) if is_quoted else model.table
    return Statement(_LOOK[dialect.name], (name,), returns_rows=True)


def _locks(model: Model, dialect: Dialect) -> list[Statement]:
    if dialect.name != "postgresql":
        return []
    name = ".".join(filter(None, (model.schema, model.table)))
    return [Statement(_LOCK, (f"dataflow table {name}",), returns_rows=True)]


def _missing(models: Sequence[Model], looks: Sequence[Result]) -> list[Model]:
    """Return the models whose tables a look has not found."""
    return [
        model for model, look in zip(models, looks, strict=True) if not look.rows[0][0]
    ]
