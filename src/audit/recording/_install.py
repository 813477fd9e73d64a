"""Seeing to it that the audit of a model is there before anything is changed."""

from __future__ import annotations

from ...drivers import Connection, Driver
from ...errors import AuditError
from ...models import Model
from ...sql import POSTGRESQL, Dialect, Statement, qualified
from ._sqlite import BUFFER, Buffer
from ._tables import RECORDS, table_statements, there_statement, upgrade_statement
from ._triggers import PREFIX, drop_statement, trigger_names, trigger_statements

__all__ = ["create_tables", "ensure_audit"]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def ensure_audit(driver: Driver, model: Model, *, may_create: bool) -> None:
    """Create the tables and triggers for the audit of *model*, unless they are there.

    What an audit of another level left is dropped, what it recorded stays. Many tasks
    and processes may call this at once. If cancelled, either all of it is there or
    nothing.

    Raises:
        AuditError: Something is missing, and the schema must not be changed.
        DriverError: The database refused, or could not be reached.
    """
    dialect = driver.dialect
    wanted = set(trigger_names(model, dialect))
    async with driver.acquire(write=False) as connection:
        if await _is_installed(connection, model, dialect, wanted):
            return
    if not may_create:
        raise AuditError(model.name)
    async with driver.acquire() as connection, connection.transaction():
        if dialect is POSTGRESQL:
            await connection.run((_lock(model.schema),))
        await create_tables(connection, dialect, model.schema)
        found = await _triggers(connection, model, dialect)
        if found == wanted:
            return
        for name in sorted(found):
            await connection.run((drop_statement(model, name, dialect),))
        if dialect is not POSTGRESQL:
            await _empty(connection, model, found)
        await connection.run(trigger_statements(model, dialect))


def _lock(schema: str | None) -> Statement:
    """Wait for others who do the same; those of another schema are not in the way."""
    name = "dataflow audit" if schema is None else f"dataflow audit {schema}"
    return Statement(_LOCK, (name,), returns_rows=True)


async def create_tables(
    connection: Connection, dialect: Dialect, schema: str | None = None
) -> None:
    """Create the tables that are missing, in the open transaction."""
    (upgrade,) = await connection.run((upgrade_statement(dialect, schema),))
    is_upgrade = bool(upgrade.rows[0][0])
    await connection.run(table_statements(dialect, schema, is_upgrade=is_upgrade))


async def _is_installed(
    connection: Connection, model: Model, dialect: Dialect, wanted: set[str]
) -> bool:
    (there,) = await connection.run((there_statement(dialect, model.schema),))
    if not there.rows[0][0]:
        return False
    return await _triggers(connection, model, dialect) == wanted


async def _triggers(connection: Connection, model: Model, dialect: Dialect) -> set[str]:
    """Return the names of the audit's triggers on the table of *model*."""
    if dialect is POSTGRESQL:
        text = (
            "SELECT tgname::text FROM pg_trigger WHERE tgrelid = to_regclass($1) "
            f"AND starts_with(tgname, '{PREFIX}')"
        )
        table = qualified(model, dialect)
    else:
        text = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND "
            f"tbl_name = ?1 COLLATE NOCASE AND name LIKE '{PREFIX}%'"
        )
        table = model.table
    (result,) = await connection.run((Statement(text, (table,), returns_rows=True),))
    return {str(row[0]) for row in result.rows}


async def _empty(connection: Connection, model: Model, found: set[str]) -> None:
    """Keep what the buffers of triggers of before hold, and drop them."""
    columns = (
        "SELECT name FROM pragma_table_info(?1) WHERE name LIKE 'old\\_%' ESCAPE '\\'"
    )
    last = f"SELECT coalesce(max(id), 0) FROM {RECORDS}"
    for table in sorted({BUFFER + name.rpartition("_")[2] for name in found}):
        named = Statement(columns, (table,), returns_rows=True)
        told, at = await connection.run((named, Statement(last, returns_rows=True)))
        names = tuple(row[0].removeprefix("old_") for row in told.rows)
        if not names:  # of a form without buffers
            continue
        personal = frozenset(each.name for each in model.personal)
        buffer = Buffer(table, model.name, names, is_full=False, personal=personal)
        (looked,) = await connection.run((buffer.look(),))
        if looked.rows[0][0]:
            await connection.run(buffer.fold(looked, None, at.rows[0][0]))
        await connection.run((Statement(f"DROP TABLE {table}"),))
