"""The second wall between tenants, as nodes know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from ..drivers import Connection, Driver
from ..messages import Envelope, Operation
from ..models import Model
from ._connection import ReachingConnection, ReachingDriver, Told
from ._constraints import Constraints
from ._install import check_role, ensure_policies
from ._reach import WRITES_ALL, reach_of

__all__ = ["RowSecurity", "options_for_all_rows"]

_ALL_ROWS: Final = f"-c {WRITES_ALL.setting}={WRITES_ALL.value}"
"""Source: PostgreSQL, libpq, `options`."""

_DELETES: Final = frozenset({Operation.DELETE, Operation.BULK_DELETE})


def options_for_all_rows(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of connections that reach all rows from their beginning."""
    given = options.get("options", "")
    return {**options, "options": f"{given} {_ALL_ROWS}".strip()}


@final
class RowSecurity:
    """Holds the statements of messages to the rows that the messages are about.

    Shared by the engines of a database, on any thread.
    """

    def __init__(self) -> None:
        self._constraints = Constraints()

    async def check_role(self, driver: Driver) -> None:
        """See that policies hold back the role of the connections.

        Raises:
            RowSecurityRoleError: They do not.
            DriverError: The database could not be reached.
        """
        await check_role(driver)

    async def ensure(self, driver: Driver, model: Model, *, may_create: bool) -> None:
        """See to the policies of *model* and of the models that relations lead to.

        Raises:
            RowSecurityError: They are not there, and cannot be made.
            DriverError: The database refused, or could not be reached.
        """
        by_table: dict[str, Model] = {}
        for each in model.connected:  # one that was declared anew is there twice
            if each.tenant_field is not None or each.table not in by_table:
                by_table[each.table] = each
        for _, each in sorted(by_table.items()):
            is_there = await ensure_policies(driver, each, may_create=may_create)
            if is_there and each.tenant_field is not None:
                async with driver.acquire(write=False) as connection:
                    await self._constraints.look(connection, each)

    def connection(
        self, connection: Connection, model: Model, envelope: Envelope
    ) -> Connection:
        """Return *connection* as it is for a message, once its tenant was settled."""
        if model.tenant_field is None:
            return connection
        told = self._told(model, envelope)
        return ReachingConnection(connection, reach_of(envelope), told)

    def driver(self, driver: Driver, model: Model, envelope: Envelope) -> Driver:
        """Return *driver* likewise."""
        if model.tenant_field is None:
            return driver
        return ReachingDriver(driver, reach_of(envelope), self._told(model, envelope))

    def administration(self, driver: Driver) -> Driver:
        """Return *driver* for raw SQL, which only who looks after all tenants sends."""
        told = Told(self._constraints, "", is_delete=False)
        return ReachingDriver(driver, WRITES_ALL, told)

    def _told(self, model: Model, envelope: Envelope) -> Told:
        is_delete = envelope.message.operation in _DELETES
        return Told(self._constraints, model.table, is_delete=is_delete)
