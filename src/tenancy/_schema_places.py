"""A schema for each tenant, in the database where tenants are written down.

Rules of this file:

1. Statements name the schema; the ``search_path`` of pooled connections stays what it
   was, so there is nothing that one tenant could leave behind for the next.
2. A schema and the mark of its owner are made in one transaction, and dropped in one.
   Whoever makes or drops one holds a lock of its name.
3. A schema that is there and is no tenant's is taken only while it is empty, or if
   whoever makes the tenant says that it is its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Final, final

from ..drivers import Bridge, Connection, DatabaseUrl, Driver, PoolShare
from ..errors import (
    QueryError,
    TenantNameError,
    TenantPlaceError,
    UrlError,
)
from ..models import Family, Model, SchemaFamily
from ..sql import POSTGRESQL, Statement
from ._database_places import Connect
from ._name import check_identifier, check_place_name
from ._owner import check_owner, claim_in, is_owned_in
from ._raw_sql import RawSqlTenancy
from ._states import TenantStates

__all__ = ["SchemaPlaces"]

HOLE: Final = "{tenant}"
DEFAULT: Final = "tenant_{tenant}"

_KEPT: Final = 256
"""Schemas of which the models are kept, at least."""

_RESERVED: Final = frozenset({"public", "information_schema"})
_RESERVED_PREFIX: Final = "pg_"
"""Source: PostgreSQL, CREATE SCHEMA: "The name cannot begin with pg_"."""

_DENIED: Final = "42501"
"""Source: PostgreSQL, Appendix A, `insufficient_privilege`."""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_LOOK: Final = (
    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)"
)
_BACKUPS: Final = (
    "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE "
    "obj_description(oid, 'pg_namespace') = 'dataflow backup of ' || $1::text"
)
"""Copies that migrations of the tenant have made in the database."""


@final
class SchemaPlaces:
    """Where the schemas of tenants are.

    Args:
        base: The database of all of them, where tenants are written down too.
        pattern: The name of a schema, with ``{tenant}`` in it; None for the usual one.
        states: What tenants are.
        limit: Tenants whose actors an engine has at once, at most.
        pool_size: Connections of the database that one of them uses, at most.

    Raises:
        UrlError: The database has no schemas.
        ValueError: The pattern names none.
        TypeError: It is no text.
    """

    has_sql = False
    outside = RawSqlTenancy("the models of tenants")

    def __init__(
        self,
        base: DatabaseUrl,
        pattern: str | None,
        states: TenantStates,
        *,
        limit: int,
        pool_size: int,
    ) -> None:
        if base.dialect is not POSTGRESQL:
            problem = (
                'tenancy="schema" is for PostgreSQL, and SQLite has no schemas: '
                'tenancy="database" gives each tenant a file'
            )
            raise UrlError(base.safe, problem)
        self.limit = limit
        self.pool_size = pool_size
        self._base = base
        self._states = states
        self._pattern = _checked(DEFAULT if pattern is None else pattern)
        self._families = lru_cache(max(_KEPT, 2 * limit))(SchemaFamily)

    def leads_to(self, url: DatabaseUrl) -> bool:
        """Return False: it is the database itself, which is known by its URL."""
        del url
        return False

    def epoch_nowait(self, tenant: str) -> str | None:
        """Return what tells a tenant from an earlier one of its name, if known."""
        return self._states.epoch_nowait(tenant)

    async def admit(self, driver: Driver, tenant: str) -> str:
        """Look a tenant up.

        Raises:
            UnknownTenantError: There is none.
        """
        return await self._states.epoch(driver, tenant)

    def url(self, tenant: str) -> DatabaseUrl:
        """Return where a tenant's schema is: in the database of all of them.

        Raises:
            TenantNameError: The tenant cannot have one.
        """
        self.schema(tenant)
        return self._base

    def schema(self, tenant: str) -> str:
        """Return the name of a tenant's schema.

        Raises:
            TenantNameError: The tenant cannot have one.
        """
        schema = self._pattern.replace(HOLE, check_place_name(tenant))
        if schema in _RESERVED or schema.startswith(_RESERVED_PREFIX):
            problem = (
                f"PostgreSQL keeps the schema {schema!r} for itself: take another name, "
                f"or a tenant_schema like {DEFAULT!r}"
            )
            raise TenantNameError(tenant, problem)
        return check_identifier(tenant, schema)

    def name(self, tenant: str) -> str:
        """Return what its place is called, without a password."""
        return f"schema {self.schema(tenant)} of {self._base.safe}"

    def model(self, model: Model, tenant: str) -> Model:
        """Return *model* with its table in the schema of a tenant."""
        if not model.is_apart:
            return model
        assert isinstance(model.family, Family), "it was declared"  # noqa: S101
        return self._families(model.family, self.schema(tenant)).model(model)

    def connect(
        self, base: Driver, tenant: str, bridge: Bridge, *, echo: bool
    ) -> Driver:
        """Return a share of the connections to the database."""
        del tenant, bridge, echo
        return PoolShare(base, self.pool_size)

    def alone(self, tenant: str, connect: Connect) -> Driver:
        """Return connections that find plain names in the tenant's schema alone.

        They are told so when they begin, and belong to whoever calls this.
        """
        path = {"search_path": POSTGRESQL.quote(self.schema(tenant))}
        return connect(replace(self._base, options={**self._base.options, **path}))

    async def check(self, driver: Driver, tenant: str) -> None:
        """Look whether the schema is there, and the tenant's own."""
        await check_owner(driver, tenant, self.name(tenant), self._prefix(tenant))

    # -- making and deleting ----------------------------------------------------

    async def create(
        self, base: Driver, tenant: str, connect: Connect, *, may_adopt: bool
    ) -> None:
        """Make the schema of a tenant; harmless if it is there."""
        del connect
        schema = self.schema(tenant)
        denied = (
            "the role of the connections may not make it: GRANT CREATE ON DATABASE to "
            "it, or make the schema beforehand and GRANT USAGE, CREATE on that"
        )
        async with self._changing(base, tenant, denied) as connection:
            if not await _is_there(connection, schema):
                create = f"CREATE SCHEMA {POSTGRESQL.quote(schema)}"
                await connection.run((Statement(create),))
            await claim_in(
                connection,
                POSTGRESQL,
                tenant,
                self.name(tenant),
                self._prefix(tenant),
                schema=schema,
                may_adopt=may_adopt,
            )

    async def drop(
        self, base: Driver, tenant: str, connect: Connect, tables: Collection[str]
    ) -> None:
        """Delete the schema of a tenant with all in it; harmless if it is gone.

        So are the copies of its tables that its migrations made in the database.
        """
        del connect, tables
        schema, name = self.schema(tenant), self.name(tenant)
        denied = (
            "it belongs to another role, so it cannot be dropped: ALTER SCHEMA ... OWNER "
            "TO the role of the connections, and delete the tenant again"
        )
        async with self._changing(base, tenant, denied) as connection:
            if not await _is_there(connection, schema):
                return
            prefix = self._prefix(tenant)
            if not await is_owned_in(connection, POSTGRESQL, tenant, name, prefix):
                problem = "it is no tenant's, so it is not deleted: look at it"
                raise TenantPlaceError(name, problem)
            backups = Statement(_BACKUPS, (schema,), returns_rows=True)
            (found,) = await connection.run((backups,))
            names = [schema, *(each for (each,) in found.rows)]
            drops = [f"DROP SCHEMA {POSTGRESQL.quote(each)} CASCADE" for each in names]
            await connection.run([*map(Statement, drops)])

    @asynccontextmanager
    async def _changing(
        self, base: Driver, tenant: str, denied: str
    ) -> AsyncGenerator[Connection]:
        """Give a connection in a transaction, in which nobody else changes the schema.

        Raises:
            TenantPlaceError: The role of the connections may not do it; says *denied*.
        """
        lock = (f"dataflow schema {self.schema(tenant)}",)
        try:
            async with base.acquire() as connection, connection.transaction():
                await connection.run((Statement(_LOCK, lock, returns_rows=True),))
                yield connection
        except QueryError as error:
            if error.code != _DENIED:
                raise
            raise TenantPlaceError(self.name(tenant), denied) from error

    def _prefix(self, tenant: str) -> str:
        return f"{POSTGRESQL.quote(self.schema(tenant))}."


async def _is_there(connection: Connection, schema: str) -> bool:
    look = Statement(_LOOK, (schema,), returns_rows=True)
    (found,) = await connection.run((look,))
    return bool(found.rows[0][0])


def _checked(pattern: object) -> str:
    """Return a pattern if it tells the schemas of tenants apart.

    Raises:
        TypeError: It is no text.
        ValueError: It does not.
    """
    if not isinstance(pattern, str):
        msg = f"tenant_schema is a str like {DEFAULT!r}, not {type(pattern).__name__}"
        raise TypeError(msg)
    if pattern.count(HOLE) != 1 or not pattern.isprintable():
        msg = (
            f"tenant_schema says where the name of a tenant stands: write {HOLE} in it "
            f"once, as in {DEFAULT!r}, not {pattern!r}"
        )
        raise ValueError(msg)
    return pattern
