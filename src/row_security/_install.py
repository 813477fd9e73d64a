"""Seeing to it that the wall is there before a row is read or written."""

from __future__ import annotations

from typing import Final

import msgspec

from ..drivers import Connection, Driver
from ..errors import QueryError, RowSecurityError, RowSecurityRoleError
from ..models import Model
from ..sql import POSTGRESQL, Statement, qualified
from ._policies import PREFIX, Policy, creation, policies, removal

__all__ = ["check_off", "check_role", "ensure_policies"]

_ROLE: Final = Statement(
    "SELECT rolname::text, rolsuper, rolbypassrls FROM pg_roles "
    "WHERE rolname = current_user",
    returns_rows=True,
)
_LOOK: Final = """
SELECT r.rolsuper OR r.rolbypassrls, c.oid IS NOT NULL,
  COALESCE(c.relrowsecurity AND c.relforcerowsecurity, false), ARRAY(
    SELECT json_build_array(p.polname, p.polcmd, p.polpermissive, p.polroles = '{0}')
    FROM pg_policy AS p WHERE p.polrelid = c.oid AND starts_with(p.polname, $2))
FROM pg_roles AS r LEFT JOIN pg_class AS c ON c.oid = to_regclass($1)
WHERE r.rolname = current_user
"""
_LOCK: Final = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended('dataflow row security', 0))",
    returns_rows=True,
)
_MISSING: Final = (
    "the table has not the policies of its model, and this may not create them: have "
    "its owner run what db.row_security.sql() returns"
)
_NOBODY: Final = (
    "the table has policies that keep tenants apart, but its model has no tenants: "
    "declare it with 'multi_tenant': True, or have the owner of the table drop them"
)
_OFF: Final = (
    "the table has policies that show this role no row: say row_security=True, as "
    "whoever made them did"
)


class _Found(msgspec.Struct, frozen=True):
    """What there is of one table, and of who asks."""

    is_free: bool
    is_there: bool
    is_walled: bool
    policies: frozenset[tuple[str, str, bool, bool]]

    def has(self, wanted: tuple[Policy, ...]) -> bool:
        """Whether the policies of ours are those that are wanted, for all roles."""
        asked = frozenset(
            (each.name, each.command, each.is_permissive, True) for each in wanted
        )
        return self.policies == asked and (self.is_walled or not wanted)


async def ensure_policies(driver: Driver, model: Model, *, may_create: bool) -> bool:
    """Create the policies of the table of *model*, unless they are there.

    Those of another form are dropped in the same transaction. Many tasks and processes
    may call this at once. If cancelled, either all of it is there or nothing.

    Args:
        driver: Connections of the owner of the table, where *may_create*.
        model: With tenants, or without.
        may_create: Whether the schema may be changed.

    Returns:
        Whether the table is there, and has them.

    Raises:
        RowSecurityError: They are not there, and cannot be made.
        DriverError: The database refused, or could not be reached.
    """
    wanted = policies(model)
    async with driver.acquire(write=False) as connection:
        found = await _look(connection, model)
    if not found.is_there or found.has(wanted):
        return found.is_there
    if not wanted:
        raise RowSecurityError(model.table, _NOBODY)
    if not may_create:
        raise RowSecurityError(model.table, _MISSING)
    try:
        async with driver.acquire() as connection, connection.transaction():
            await connection.run((_LOCK,))
            found = await _look(connection, model)
            if not found.has(wanted):
                stale = sorted(name for name, *_ in found.policies)
                texts = [*removal(model, stale), *creation(model)]
                await connection.run([*map(Statement, texts)])
    except QueryError as error:
        if error.code == _NOT_OWNER:
            raise RowSecurityError(model.table, _MISSING) from error
        raise
    return True


_NOT_OWNER: Final = "42501"
"""Source: PostgreSQL, Appendix A, `insufficient_privilege`."""


async def check_off(driver: Driver, model: Model) -> None:
    """See that the rows of *model* are seen without row security.

    Raises:
        RowSecurityError: The table has policies of ours, and they hold for this role.
        DriverError: The database could not be read.
    """
    if driver.dialect is not POSTGRESQL or model.tenant_field is None:
        return
    async with driver.acquire(write=False) as connection:
        found = await _look(connection, model)
    if found.is_walled and found.policies and not found.is_free:
        raise RowSecurityError(model.table, _OFF)


async def check_role(driver: Driver) -> None:
    """See that policies hold back the role of the connections.

    Raises:
        RowSecurityRoleError: They do not.
        DriverError: The database could not be reached.
    """
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run((_ROLE,))
    ((role, is_superuser, is_bypassing),) = result.rows
    if is_superuser or is_bypassing:
        reason = "SUPERUSER" if is_superuser else "BYPASSRLS"
        raise RowSecurityRoleError(role, reason)


async def _look(connection: Connection, model: Model) -> _Found:
    values = (qualified(model, POSTGRESQL), PREFIX)
    look = Statement(_LOOK, values, returns_rows=True)
    (result,) = await connection.run((look,))
    *facts, found = result.rows[0]
    is_free, is_there, is_walled = facts
    return _Found(
        is_free=is_free,
        is_there=is_there,
        is_walled=is_walled,
        policies=frozenset(tuple(each) for each in found),
    )
