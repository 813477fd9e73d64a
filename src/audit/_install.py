"""Seeing to it that the audit of a model is there before anything is changed."""

from __future__ import annotations

from ..drivers import Connection, Driver
from ..errors import AuditError
from ..models import Model
from ..sql import POSTGRESQL, Dialect, Statement
from ._tables import table_statements
from ._triggers import PREFIX, drop_statement, trigger_names, trigger_statements

__all__ = ["ensure_audit"]

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('dataflow audit', 0))"


async def ensure_audit(driver: Driver, model: Model, *, may_create: bool) -> None:
    """Create the tables and triggers for the audit of *model*, unless they are there.

    What an audit of another level left is dropped. Many tasks and processes may call
    this at once. If cancelled, either all of it is there or nothing.

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
            await connection.run((Statement(_LOCK, returns_rows=True),))
        await connection.run(table_statements(dialect))
        found = await _triggers(connection, model, dialect)
        if found == wanted:
            return
        stale = [drop_statement(model, name, dialect) for name in sorted(found)]
        await connection.run([*stale, *trigger_statements(model, dialect)])


async def _is_installed(
    connection: Connection, model: Model, dialect: Dialect, wanted: set[str]
) -> bool:
    if dialect is POSTGRESQL:
        text = "SELECT to_regclass('dataflow_audit_heads') IS NOT NULL"
    else:
        text = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'dataflow_audit_now')"
    (there,) = await connection.run((Statement(text, returns_rows=True),))
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
        table = dialect.quote(model.table)
    else:
        text = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND "
            f"tbl_name = ?1 COLLATE NOCASE AND name LIKE '{PREFIX}%'"
        )
        table = model.table
    (result,) = await connection.run((Statement(text, (table,), returns_rows=True),))
    return {str(row[0]) for row in result.rows}
