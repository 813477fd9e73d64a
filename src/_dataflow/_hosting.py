"""Where the calls of a DataFlow run: the engine entered here, else the background's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar, final

from ..drivers import Driver
from ..models import Model
from ..nodes import Database, Engine, Engines, Host, Node, databases, registry
from ..row_security import options_for_all_rows
from ..workflow import call_background, call_background_sync, hosting, plug_in

__all__ = ["Hosting"]

P = ParamSpec("P")
T = TypeVar("T")


def _resolve(name: str) -> Node:
    """Find a node for a builder that belongs to no DataFlow."""
    raw = databases.anywhere
    return raw if name == raw.name else registry.resolve(name)


plug_in(resolve=_resolve, host=partial(Engine, is_shared=True))


@final
class Hosting:
    """Calls functions with the engine that is to run them.

    Args:
        database: Which the calls are about; once it is closed they are refused.

    Attributes:
        engines: Those that were entered, one per event loop.
    """

    def __init__(self, database: Database) -> None:
        self.engines = Engines(hosting)
        self._database = database

    def current(self) -> Engine | None:
        """Return the engine that was entered on this event loop, or None.

        Raises:
            ClosedError: The database is closed.
        """
        if self._database.is_closed:
            self._database.check_open()
        return self.engines.current()

    async def call(
        self,
        function: Callable[Concatenate[Host, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call *function* with the engine entered here, else the background's.

        If cancelled, the call is cancelled, and on the background host not waited
        for.

        Raises:
            ClosedError: The database is closed.
        """
        engine = self.current()
        if engine is not None:
            return await function(engine, *args, **kwargs)
        return await call_background(function, *args, **kwargs)

    async def prepare(self, models: Sequence[Model]) -> bool:
        """Connect, see to the tables of *models*, and return True.

        Raises:
            DriverError: The database could not be reached, or refused.
        """
        return await self.call(_prepare, self._database, models)

    async def with_driver(self, function: Callable[[Driver], Awaitable[T]]) -> T:
        """Call *function* with the connections to the database.

        If cancelled, the call is cancelled.

        Raises:
            ClosedError: The database is closed.
        """
        return await self.call(_with_driver, self._database, function)

    async def with_all_rows(self, function: Callable[[Driver], Awaitable[T]]) -> T:
        """Call *function* with connections that reach the rows of all tenants.

        Where row security holds, they are connections of its own, closed afterwards:
        no other use of them could come by what they may.

        Raises:
            ClosedError: The database is closed.
        """
        return await self.call(_with_all_rows, self._database, function)

    def with_driver_sync(self, function: Callable[[Driver], Awaitable[T]]) -> T:
        """Do what `with_driver` does on the background host, and wait for it.

        A running event loop stands still meanwhile.

        Raises:
            ClosedError: The database is closed.
            MemoryDatabaseError: It is in the memory of an engine that was entered.
        """
        self._database.check_open()
        return call_background_sync(_with_driver, self._database, function)

    async def aclose(self) -> None:
        """Close the connections that the background host has."""
        if self._is_in_background():
            await call_background(_release, self._database)

    def close(self) -> None:
        """Do what `aclose` does, from synchronous code."""
        if self._is_in_background():
            call_background_sync(_release, self._database)

    def _is_in_background(self) -> bool:
        # Asking the background host itself would start it where it does not run.
        return any(
            isinstance(each, Engine) and each.is_shared
            for each in self._database.holders
        )


async def _prepare(host: Host, database: Database, models: Sequence[Model]) -> bool:
    engine = _engine(host)
    await engine.ping(database)
    for model in models:
        if model.is_apart:
            continue  # each tenant has such a table, made with the tenant
        await engine.prepare(database, model)
    return True


async def _with_driver(
    host: Host, database: Database, function: Callable[[Driver], Awaitable[T]]
) -> T:
    return await function(_engine(host).driver(database))


async def _with_all_rows(
    host: Host, database: Database, function: Callable[[Driver], Awaitable[T]]
) -> T:
    engine = _engine(host)
    if database.row_security is None:
        return await function(engine.driver(database))
    database.check_open()
    url = replace(database.url, options=options_for_all_rows(database.url.options))
    driver = engine.connect_to(url, pool_size=database.pool_size, echo=database.echo)
    try:
        return await function(driver)
    finally:
        await driver.aclose()


async def _release(host: Host, database: Database) -> None:
    await _engine(host).release(database)


def _engine(host: Host) -> Engine:
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host
