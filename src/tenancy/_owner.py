"""Whose a place is: a table in it, ``dataflow_place``, with one line that says so.

It is looked at whenever a place is opened, made or deleted. So two tenants whose URLs
lead to one database by mistake never see each other's rows, and no database is deleted
that was something else before.
"""

from __future__ import annotations

from typing import Final

from ..drivers import Connection, Driver
from ..errors import TenantPlaceError
from ..sql import POSTGRESQL, Dialect, Statement

__all__ = ["check_owner", "claim", "claim_in", "is_owned", "is_owned_in"]

_TABLE: Final = "dataflow_place"


async def check_owner(
    driver: Driver, tenant: str, place: str, prefix: str = ""
) -> None:
    """Look whether a place is the tenant's own.

    Args:
        driver: The connections to it.
        tenant: Whose it should be.
        place: What errors call it.
        prefix: The schema, quoted, with a dot behind; empty where plain names lead.

    Raises:
        TenantPlaceError: It is not.
    """
    async with driver.acquire(write=False) as connection:
        owner = await _owner(connection, driver.dialect, prefix)
    if owner is None:
        problem = "it is no tenant's: was it deleted or made anew by somebody else?"
        raise TenantPlaceError(place, problem)
    if owner != tenant:
        raise TenantPlaceError(place, _ANOTHERS)


async def is_owned(driver: Driver, tenant: str, place: str, prefix: str = "") -> bool:
    """Return whether a place is the tenant's own; False where it is nobody's.

    Raises:
        TenantPlaceError: It is another tenant's.
    """
    async with driver.acquire(write=False) as connection:
        return await is_owned_in(connection, driver.dialect, tenant, place, prefix)


async def is_owned_in(
    connection: Connection, dialect: Dialect, tenant: str, place: str, prefix: str = ""
) -> bool:
    """Do the same on a connection."""
    owner = await _owner(connection, dialect, prefix)
    if owner not in (None, tenant):
        raise TenantPlaceError(place, _ANOTHERS)
    return owner is not None


async def claim(driver: Driver, tenant: str, place: str, *, may_adopt: bool) -> None:
    """Make a database the tenant's own, as `claim_in` does."""
    async with driver.acquire() as connection, connection.transaction():
        await claim_in(connection, driver.dialect, tenant, place, may_adopt=may_adopt)


async def claim_in(  # as many facts as there are
    connection: Connection,
    dialect: Dialect,
    tenant: str,
    place: str,
    prefix: str = "",
    *,
    schema: str = "public",
    may_adopt: bool,
) -> None:
    """Make a place the tenant's own, in the open transaction; harmless if it is.

    Args:
        connection: To the place.
        dialect: Of that.
        tenant: Whose it is to be.
        place: What errors call it.
        prefix: The schema, quoted, with a dot behind; empty where plain names lead.
        schema: The schema where tables of somebody else would be.
        may_adopt: Whether tables may be there already.

    Raises:
        TenantPlaceError: It is another tenant's, or holds something else.
    """
    table, one = f"{prefix}{_TABLE}", dialect.place(1)
    if await is_owned_in(connection, dialect, tenant, place, prefix):
        return
    if not may_adopt and await _has_tables(connection, dialect, schema):
        problem = (
            "there are tables already, and they are no tenant's: choose another "
            "place, or say adopt=True if they are this one's"
        )
        raise TenantPlaceError(place, problem)
    await connection.run(
        (
            Statement(f"CREATE TABLE IF NOT EXISTS {table} (tenant text PRIMARY KEY)"),
            Statement(f"INSERT INTO {table} (tenant) VALUES ({one})", (tenant,)),
        )
    )


_ANOTHERS: Final = "it is another tenant's: let each tenant have a place of its own"


async def _owner(connection: Connection, dialect: Dialect, prefix: str) -> str | None:
    if dialect is POSTGRESQL:
        look = Statement(
            "SELECT to_regclass($1) IS NOT NULL",
            (f"{prefix}{_TABLE}",),
            returns_rows=True,
        )
    else:
        text = f"SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{_TABLE}')"
        look = Statement(text, returns_rows=True)
    (there,) = await connection.run((look,))
    if not there.rows[0][0]:
        return None
    read = Statement(f"SELECT min(tenant) FROM {prefix}{_TABLE}", returns_rows=True)
    (told,) = await connection.run((read,))
    owner = told.rows[0][0]
    return None if owner is None else str(owner)


async def _has_tables(connection: Connection, dialect: Dialect, schema: str) -> bool:
    if dialect is POSTGRESQL:
        look = Statement(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN "
            "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
            "n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
            "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE "
            "d.objid = c.oid AND d.deptype = 'e'))",
            (schema,),
            returns_rows=True,
        )
    else:
        text = (
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type IN "
            "('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\')"
        )
        look = Statement(text, returns_rows=True)
    (there,) = await connection.run((look,))
    return bool(there.rows[0][0])
