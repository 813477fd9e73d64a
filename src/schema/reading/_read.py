"""Reading the shape of a database, whichever it is."""

from __future__ import annotations

from typing import Final

import msgspec

from ...drivers import Driver
from .._shape import Schema
from ._postgresql import read_postgresql
from ._sqlite import read_sqlite

__all__ = ["OWN_TABLES", "read_schema"]

OWN_TABLES: Final = frozenset(
    {
        "dataflow_audit",
        "dataflow_audit_heads",
        "dataflow_audit_leaves",
        "dataflow_audit_now",
        "dataflow_migration_steps",
        "dataflow_migrations",
        "dataflow_models",
        "dataflow_subject_keys",
    }
)
"""Tables this package keeps for itself; nobody is shown them."""


async def read_schema(driver: Driver, schema: str | None = None) -> Schema:
    """Return the shape of the database as it is now; nothing is changed.

    It is read over a connection for reading, one query per kind of thing, all tables
    at once. If cancelled, nothing is left behind.

    Args:
        driver: The connections to the database.
        schema: Of PostgreSQL; None is what plain names mean (``search_path``).

    Raises:
        DriverError: The database could not be read.
    """
    async with driver.acquire(write=False) as connection:
        if driver.dialect.name == "postgresql":
            read = await read_postgresql(connection, schema)
        else:
            read = await read_sqlite(connection)
    tables = tuple(each for each in read.tables if not _is_own(each.name))
    return msgspec.structs.replace(read, tables=tables)


def _is_own(name: str) -> bool:
    return name in OWN_TABLES or name.startswith("dataflow_audit")
