"""The register of tenants: a table, ``dataflow_tenants``, and what is done to it.

Rules of this file:

1. What a tenant is changes by one conditional update, so of many who try one wins.
2. Each change is audited, in the transaction that makes it: who, why, from what to what.
3. A tenant that was deleted stays as a line: its name is refused until it is made again,
   and gets another epoch then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, final
from uuid import uuid4

from ..audit import AuditedDriver, Facts
from ..drivers import Connection, Driver
from ..errors import (
    DuplicateKeyError,
    TenantExistsError,
    TenantStateError,
    UnknownTenantError,
)
from ..messages import acting
from ..models import Model, declare, field
from ..sql import Filter, Statement, parse, parse_order, table_of
from ._tenant import STEPS, Act, State, Tenant

__all__ = ["MODEL", "TABLE", "Register"]

TABLE: Final = "dataflow_tenants"

_LOOK: Final = {
    "postgresql": f"SELECT to_regclass('{TABLE}') IS NOT NULL",
    "sqlite": f"SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{TABLE}')",
}


class DataflowTenant:
    """A line of the register."""

    name: str = field(primary_key=True)
    state: str
    epoch: str
    reason: str | None
    place: str
    created_at: datetime
    updated_at: datetime

    __dataflow__ = {"table_name": TABLE, "timestamps": True, "audit": "full"}  # noqa: RUF012  as users write it


MODEL: Final[Model] = declare(DataflowTenant)
"""What the register is to the rest of the package."""


@final
class Register:
    """The tenants of one database.

    Args:
        driver: The connections to it.
        key: Signs its audit; None for none.
    """

    def __init__(self, driver: Driver, key: bytes | None = None) -> None:
        self._driver = driver
        self._key = key
        self._table = table_of(MODEL, driver.dialect)

    async def is_there(self) -> bool:
        """Whether there is such a table."""
        async with self._driver.acquire(write=False) as connection:
            return await self.is_there_in(connection)

    async def is_there_in(self, connection: Connection) -> bool:
        """Do the same on a connection."""
        look = Statement(_LOOK[self._driver.dialect.name], returns_rows=True)
        (result,) = await connection.run((look,))
        return bool(result.rows[0][0])

    async def read(self, names: Iterable[str]) -> dict[str, Tenant]:
        """Return those of *names* that there are; the table has to be there."""
        async with self._driver.acquire(write=False) as connection:
            return await self.read_in(connection, names)

    async def read_in(
        self, connection: Connection, names: Iterable[str]
    ) -> dict[str, Tenant]:
        """Do the same on a connection."""
        where = parse({"name": {"$in": [*names]}}, MODEL)
        return {each.name: each for each in await self._select(connection, where)}

    async def get(self, name: str) -> Tenant | None:
        """Return one, or None."""
        if not await self.is_there():
            return None
        return (await self.read([name])).get(name)

    async def find(self, *states: State) -> list[Tenant]:
        """Return those in one of *states*, in order of their names."""
        if not await self.is_there():
            return []
        where = parse({"state": {"$in": [*map(str, states)]}}, MODEL)
        async with self._driver.acquire(write=False) as connection:
            return await self._select(connection, where)

    async def _select(self, connection: Connection, where: Filter) -> list[Tenant]:
        statement = self._table.select(where, order=parse_order("name", MODEL))
        (result,) = await connection.run((statement,))
        return [_tenant(self._table.decode(row)) for row in result.rows]

    # -- changing ---------------------------------------------------------------

    async def begin(
        self, act: Act, name: str, place: str, reason: str | None
    ) -> Tenant:
        """Write down that a tenant is being made.

        One that somebody began to make and did not finish keeps its epoch.

        Raises:
            TenantExistsError: There is one.
        """
        step = STEPS[act]
        now = datetime.now(UTC)
        values = {
            "name": name,
            "state": str(step.to),
            "epoch": uuid4().hex,
            "reason": reason,
            "place": place,
            "created_at": now,
            "updated_at": now,
        }
        anew = parse({"name": name, "state": str(State.DELETED)}, MODEL)
        async with self._audited(act, name, reason).acquire() as connection:
            try:
                await connection.run((self._table.insert(values),))
            except DuplicateKeyError:
                changes = {each: values[each] for each in values if each != "name"}
                update = self._table.update(anew, changes)
                (result,) = await connection.run((update,))
                is_new = bool(result.count)
            else:
                is_new = True
        found = await self._found(name)
        if not is_new and found.state is not step.to:
            raise TenantExistsError(name)
        return found

    async def move(self, act: Act, name: str, reason: str | None = None) -> Tenant:
        """Let a tenant become something else.

        Raises:
            UnknownTenantError: There is none.
            TenantStateError: It is nothing from which it can.
        """
        step = STEPS[act]
        whence = [str(each) for each in step.whence if each is not step.to]
        where = parse({"name": name, "state": {"$in": whence}}, MODEL)
        changes: dict[str, Any] = {
            "state": str(step.to),
            "reason": reason,
            "updated_at": datetime.now(UTC),
        }
        async with self._audited(act, name, reason).acquire() as connection:
            (result,) = await connection.run((self._table.update(where, changes),))
        found = await self._found(name)
        if not result.count and found.state not in step.whence:
            if found.state is State.DELETED:
                raise UnknownTenantError(name)
            raise TenantStateError(name, found.state, step.done)
        return found

    async def note(self, act: Act, name: str, reason: str | None) -> Tenant:
        """Write down that something was done to a tenant, which stays what it is.

        Raises:
            UnknownTenantError: There is none.
            TenantStateError: It is neither served nor suspended.
        """
        there = [str(State.ACTIVE), str(State.SUSPENDED)]
        where = parse({"name": name, "state": {"$in": there}}, MODEL)
        changes = {"updated_at": datetime.now(UTC)}
        async with self._audited(act, name, reason).acquire() as connection:
            (result,) = await connection.run((self._table.update(where, changes),))
        found = await self._found(name)
        if not result.count:
            raise TenantStateError(name, found.state, f"{act}ed")
        return found

    async def _found(self, name: str) -> Tenant:
        found = (await self.read([name])).get(name)
        if found is None:
            raise UnknownTenantError(name)
        return found

    def _audited(self, act: Act, name: str, reason: str | None) -> AuditedDriver:
        scope = acting.get()
        facts = Facts(
            node="tenants",
            operation=str(act),
            principal=None if scope is None else scope.principal,
            tenant=name,
            reason=reason,
        )
        return AuditedDriver(self._driver, MODEL, facts, self._key)


def _tenant(row: dict[str, Any]) -> Tenant:
    told: dict[str, Any] = {**row, "state": State(row["state"])}
    return Tenant(**told)
