"""Where audits are: in the database, and in the places of tenants that have their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, final

from ...audit import SHARED, AuditPlace, Version, history_of, key_statement
from ...drivers import Driver
from ...errors import (
    DataFlowError,
    TenantAuditError,
    TenantMismatchError,
    TenantScopeError,
)
from ...nodes import Database, Engine, Host, sender
from ...tenancy import MODEL, Register, State, Tenant
from .._hosting import Hosting
from .._round import OnTenant, Round

__all__ = ["AuditPlaces"]

T = TypeVar("T")


@final
class AuditPlaces:
    """Where one database has audits.

    Args:
        database: Which.
        hosting: Finds the engine that asks it.
    """

    def __init__(self, database: Database, hosting: Hosting) -> None:
        self._database = database
        self._hosting = hosting

    @property
    def are_apart(self) -> bool:
        """Whether each tenant has an audit of its own."""
        return self._database.apart is not None

    async def find(self, *states: State) -> list[Tenant]:
        """Return the tenants in one of *states*, in order of their names.

        Raises:
            TenantScopeError: The code works for one tenant.
            DriverError: The database could not be read.
        """
        if sender().tenant is not None:
            owner = "the audit"
            problem = "what works for one tenant does not get at the others"
            raise TenantScopeError(owner, problem)

        async def look(driver: Driver, _: AuditPlace) -> list[Tenant]:
            return await Register(driver).find(*states)

        return await self.run(None, look)

    async def was_deleted(self, place: AuditPlace) -> bool:
        """Whether it is recorded that a tenant was deleted, or began to be.

        What the register itself says is not asked: whoever can write to it could say so,
        and its audit is verified.

        Raises:
            AuditBrokenError: What is recorded cannot be read.
            DriverError: The database could not be read.
        """

        async def look(driver: Driver, _: AuditPlace) -> bool:
            recorded = key_statement(MODEL, driver.dialect, {"name": place.tenant})
            async with driver.acquire(write=False) as connection:
                (found,) = await connection.run((recorded,))
            versions = history_of(MODEL, driver.dialect, found.rows)
            return any(_is_deletion(each, place.epoch) for each in versions)

        return await self.run(None, look)

    async def run(
        self,
        tenant: str | None,
        work: Callable[[Driver, AuditPlace], Awaitable[T]],
    ) -> T:
        """Call *work* with connections to the place of a tenant, or to the database.

        Those to a place are its own, on which plain names mean the tables there; they
        are closed afterwards, and it stays open meanwhile.

        Raises:
            TenancyError: Tenants share one, or there is none of this name, or the code
                works for another one.
            DriverError: It could not be reached.
        """
        if tenant is not None and sender().tenant not in {None, tenant}:
            owner, place = "the audit", "tenant"
            raise TenantMismatchError(owner, place)
        return await self._hosting.call(self._run, tenant, work)

    async def each(  # as users say it
        self,
        act: str,
        tenants: Sequence[str],
        work: Callable[[str | None], Awaitable[T]],
        *,
        after: str | None = None,
        keep_going: bool,
        on_tenant: OnTenant | None,
        problems: Mapping[str, str] | None = None,
    ) -> tuple[T | None, dict[str, T]]:
        """Call *work* for the database itself, as None, and then for each tenant.

        Args:
            act: What that is, in the words of an error.
            tenants: Their names.
            work: What is to be done.
            after: Leave out the database, and the tenants up to this one.
            keep_going: Go on with the next one where one fails.
            on_tenant: Told how far it is.
            problems: What is wrong already, by tenant.

        Raises:
            TenantAuditError: There are problems.
        """
        shared: T | None = None
        problem: str | None = None
        problems = problems or {}
        if after is None:
            try:
                shared = await work(None)
            except DataFlowError as error:
                problem = str(error)
        names = [each for each in tenants if after is None or each > after]
        round_ = Round[T](names, keep_going=keep_going, on_tenant=on_tenant)
        if keep_going or not (problems or problem):
            await round_.go(work)
        failed = {**problems, **round_.problems}
        if failed or problem is not None:
            done = tuple(round_.done)
            raise TenantAuditError(act, failed, done, round_.left, problem)
        return shared, round_.done

    async def _run(
        self,
        host: Host,
        tenant: str | None,
        work: Callable[[Driver, AuditPlace], Awaitable[T]],
    ) -> T:
        assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
        if tenant is None:
            return await work(host.driver(self._database), SHARED)
        apart = self._database.apart
        if apart is None:
            owner, problem = "the audit", "tenants share one: ask that of the database"
            raise TenantScopeError(owner, problem)
        async with host.alone(self._database, tenant) as driver:
            epoch = await apart.admit(host.driver(self._database), tenant)
            return await work(driver, AuditPlace(tenant, epoch))


def _is_deletion(version: Version, epoch: str) -> bool:
    new = version.new
    if version.facts is None or new is None or new["epoch"] != epoch:
        return False
    return new["state"] in {State.DELETING, State.DELETED}
