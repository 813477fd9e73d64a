"""A database for each tenant: of a PostgreSQL server, or a SQLite file.

Rules of this file:

1. The URL of a tenant is made of a template, or by a function of the user; the name of
   the tenant was checked before, so it holds nothing that means something in a URL.
2. PostgreSQL makes and drops a database all at once. A SQLite file is renamed before it
   is deleted, so what is left of a deletion that was stopped is never taken for a
   tenant's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, final

import anyio

from ..drivers import Bridge, DatabaseUrl, Driver, parse_url
from ..drivers import connect as open_driver
from ..errors import DriverError, TenantPlaceError, UrlError
from ..models import Model
from ..sql import POSTGRESQL, SQLITE, Statement
from ._name import check_identifier, check_place_name
from ._owner import check_owner, claim, is_owned
from ._raw_sql import RawSqlTenancy
from ._states import TenantStates

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["Connect", "DatabasePlaces", "TenantUrl"]

Connect = Callable[[DatabaseUrl], Driver]
"""Makes connections for a single job; whoever calls it closes them."""

TenantUrl = str | Callable[[str], str]
"""A URL with ``{tenant}`` in it, or a function from the name of a tenant to its URL."""

_HOLE: Final = "{tenant}"
_MARK: Final = "tenantzmark"
_MAINTENANCE: Final = "postgres"
"""Source: PostgreSQL, initdb: "a database meant for use by users, utilities"."""

_DUPLICATE: Final = "42P04"
_NO_DATABASE: Final = "3D000"
"""Source: PostgreSQL, Appendix A, `duplicate_database` and `invalid_catalog_name`."""

_LEFTOVERS: Final = ("-wal", "-shm", "-journal")
"""Source: sqlite.org/tempfiles.html."""


@final
class DatabasePlaces:
    """Where the databases of tenants are.

    Args:
        base: Where tenants are written down.
        url: Where a tenant's database is; None for beside that one.
        states: What tenants are.
        limit: Databases that an engine has open at once, at most.
        pool_size: Connections to one of them, at most.

    Raises:
        UrlError: The template makes no URLs.
    """

    has_sql = True
    outside = RawSqlTenancy("the models of tenants")

    def __init__(
        self,
        base: DatabaseUrl,
        url: TenantUrl | None,
        states: TenantStates,
        *,
        limit: int,
        pool_size: int,
    ) -> None:
        self.limit = limit
        self.pool_size = pool_size
        self._base = base
        self._states = states
        self._make = _beside(base) if url is None else _maker(url)
        self._made: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        if not callable(url):
            # What is wrong with a template is told at once.
            text = re.escape(_name_of(self.url(_MARK)))
            self._pattern = re.compile(text.replace(re.escape(_MARK), "[a-z0-9_-]+"))

    def leads_to(self, url: DatabaseUrl) -> bool:
        """Whether the place of a tenant may be at *url*.

        Of a function that makes URLs, only those are known that it made.
        """
        if self._pattern is None:
            return _name_of(url) in self._made
        return self._pattern.fullmatch(_name_of(url)) is not None

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
        """Return where a tenant's database is.

        Raises:
            TenantNameError: The tenant cannot have one.
            UrlError: That is no database, or one in memory.
        """
        check_place_name(tenant)
        url = self._make(tenant)
        if url.dialect is not self._base.dialect:
            problem = f"tenants are on {self._base.dialect.name}, like their register"
            raise UrlError(url.safe, problem)
        if url.is_memory:
            problem = "a database in memory ends with its connection: name a file"
            raise UrlError(url.safe, problem)
        if url.dialect is POSTGRESQL:
            check_identifier(tenant, url.database)
        if self._pattern is None:
            self._made.add(_name_of(url))
        return url

    def name(self, tenant: str) -> str:
        """Return what its place is called, without a password."""
        return self.url(tenant).safe

    def schema(self, tenant: str) -> None:
        """Return None: in a database of its own plain names lead to its tables."""
        del tenant

    def model(self, model: Model, tenant: str) -> Model:
        """Return *model*: a database of its own has the same tables."""
        del tenant
        return model

    def connect(
        self, base: Driver, tenant: str, bridge: Bridge, *, echo: bool
    ) -> Driver:
        """Return the connections to its database; none is made yet."""
        del base
        return open_driver(
            self.url(tenant), bridge, pool_size=self.pool_size, echo=echo
        )

    def alone(self, tenant: str, connect: Connect) -> Driver:
        """Return connections to its database, for whoever calls it to close."""
        return connect(self.url(tenant))

    async def check(self, driver: Driver, tenant: str) -> None:
        """Look whether the database is there, and the tenant's own."""
        url = self.url(tenant)
        if url.dialect is SQLITE and not await anyio.Path(url.database).exists():
            problem = "there is no such file: was it moved or deleted?"
            raise TenantPlaceError(url.safe, problem)
        await check_owner(driver, tenant, url.safe)

    # -- making and deleting ----------------------------------------------------

    async def create(
        self, base: Driver, tenant: str, connect: Connect, *, may_adopt: bool
    ) -> None:
        """Make the database of a tenant; harmless if it is there."""
        url = self.url(tenant)
        is_new = False
        if url.dialect is POSTGRESQL:
            is_new = await self._create_on_server(base, url, connect)
        else:
            await _make_room(url)
        async with _alone(connect, url) as driver:
            # What a server puts into every new database is nobody's.
            await claim(driver, tenant, url.safe, may_adopt=may_adopt or is_new)

    async def _create_on_server(
        self, base: Driver, url: DatabaseUrl, connect: Connect
    ) -> bool:
        """Make a database on a server; return whether it was missing."""
        look = Statement(
            "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)",
            (url.database,),
            returns_rows=True,
        )
        create = Statement(f"CREATE DATABASE {POSTGRESQL.quote(url.database)}")
        async with (
            self._server(base, url, connect) as driver,
            driver.acquire() as connection,
        ):
            (found,) = await connection.run((look,))
            if found.rows[0][0]:
                return False
            try:
                await connection.run((create,))
            except DriverError as error:
                if error.code != _DUPLICATE:
                    raise
                return False
            return True

    async def drop(
        self, base: Driver, tenant: str, connect: Connect, tables: Collection[str]
    ) -> None:
        """Delete the database of a tenant; harmless if it is gone."""
        del tables
        url = self.url(tenant)
        if url.dialect is SQLITE:
            await _drop_file(url, tenant, connect)
            return
        try:
            async with _alone(connect, url) as driver:
                await check_owner(driver, tenant, url.safe)
        except DriverError as error:
            if error.code != _NO_DATABASE:
                raise
            return
        drop = f"DROP DATABASE IF EXISTS {POSTGRESQL.quote(url.database)} WITH (FORCE)"
        async with (
            self._server(base, url, connect) as driver,
            driver.acquire() as connection,
        ):
            await connection.run((Statement(drop),))

    @asynccontextmanager
    async def _server(
        self, base: Driver, url: DatabaseUrl, connect: Connect
    ) -> AsyncGenerator[Driver]:
        """Give connections to the server of a database, not to the database."""
        ours, theirs = self._base, url
        if (ours.host, ours.port) == (theirs.host, theirs.port):
            yield base
            return
        async with _alone(connect, _in(url, _MAINTENANCE)) as driver:
            yield driver


@asynccontextmanager
async def _alone(connect: Connect, url: DatabaseUrl) -> AsyncGenerator[Driver]:
    driver = connect(url)
    try:
        yield driver
    finally:
        await driver.aclose()


def _name_of(url: DatabaseUrl) -> str:
    """Return the name of a database, or the whole path of a file."""
    if url.dialect is SQLITE and not url.is_memory:
        return os.path.realpath(url.database)
    return url.database or url.user or ""


def _in(url: DatabaseUrl, database: str) -> DatabaseUrl:
    return DatabaseUrl(
        url.dialect, url.host, url.port, url.user, url.password, database, url.options
    )


def _maker(url: TenantUrl) -> Callable[[str], DatabaseUrl]:
    if callable(url):
        return lambda tenant: parse_url(url(tenant))
    if _HOLE not in url:
        problem = f"the URL of tenants says where their name stands: write {_HOLE}"
        raise UrlError(parse_url(url).safe, problem)
    return lambda tenant: parse_url(url.replace(_HOLE, tenant))


def _beside(base: DatabaseUrl) -> Callable[[str], DatabaseUrl]:
    """Return what makes URLs of databases beside the one where tenants are known."""
    if base.dialect is POSTGRESQL:
        name = base.database or base.user or ""
        return lambda tenant: _in(base, f"{name}_{tenant}")
    if base.is_memory:
        problem = "beside a database in memory there is no place: give a tenant_url"
        raise UrlError(base.safe, problem)
    stem, dot, suffix = base.database.rpartition(".")
    folder = f"{stem if dot and '/' not in suffix else base.database}-tenants"
    return lambda tenant: DatabaseUrl(
        SQLITE, database=f"{folder}/{tenant}.db", options=base.options
    )


# -- files ------------------------------------------------------------------------


async def _make_room(url: DatabaseUrl) -> None:
    """Make the folder of a file, and let nothing be there of an earlier one."""
    path = anyio.Path(url.database)
    await path.parent.mkdir(parents=True, exist_ok=True)
    if not await path.exists():
        await _clear(path)


async def _drop_file(url: DatabaseUrl, tenant: str, connect: Connect) -> None:
    path = anyio.Path(url.database)
    gone = path.with_name(f"{path.name}.deleted")
    try:
        if await path.exists():
            async with _alone(connect, url) as driver:
                if not await is_owned(driver, tenant, url.safe):
                    problem = "it is no tenant's, so it is not deleted: look at it"
                    raise TenantPlaceError(url.safe, problem)
            await path.replace(gone)
        await _clear(path)
        await gone.unlink(missing_ok=True)
    except OSError as error:
        problem = f"the file cannot be deleted ({error.strerror}): try again"
        raise TenantPlaceError(url.safe, problem) from error


async def _clear(path: anyio.Path) -> None:
    """Delete what stands beside a file that is gone: SQLite would believe it."""
    for suffix in _LEFTOVERS:
        await path.with_name(path.name + suffix).unlink(missing_ok=True)
