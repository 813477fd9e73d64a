"""Change one row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, final

import msgspec

from ...drivers import Connection
from ...errors import MissingFieldError, RecordNotFoundError
from ...messages import Operation
from ...models import Model
from ...sql import Table
from .._database import Database
from .._key import Target, TargetReader, one_row
from .._model_node import ModelNode, field_port
from .._node import Port
from .._options import flag, target_ports
from .._values import as_mapping, changed_values

__all__ = ["UpdateNode"]

_NESTED = ("fields", "update", "updates")


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which row, what changes, and whether the row must be there."""

    target: Target | None
    changes: dict[str, Any]
    is_strict: bool


@final
class UpdateNode(ModelNode):
    """Changes one row and replies with every column of it, and ``updated``.

    The new values stand flat beside the key, or in ``fields`` (``update``); to
    change a key itself, use ``fields``. A row that is not there gives
    ``updated: False``.
    """

    operation = Operation.UPDATE
    suffix = "UpdateNode"

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        self._targets = TargetReader(model)

    def ports(self) -> list[Port]:
        """Return what names the row, the fields, and ``raise_on_not_found``."""
        named = target_ports(self.model)
        taken = {port.name for port in named}
        fields = [
            field_port(each) for each in self.model.fields if each.name not in taken
        ]
        nested = [Port(name, dict) for name in _NESTED if name not in self.model.names]
        return [*named, *fields, *nested, Port("raise_on_not_found", bool)]

    def results(self) -> list[Port]:
        """Return the columns and ``updated``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("updated", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Plan:
        """Return which row is meant and what changes."""
        is_strict = flag(parameters, "raise_on_not_found", owner, default=False)
        target = self._targets.read(parameters, owner, arriving)
        nested = [name for name in _NESTED if name not in self.model.names]
        was_nested = any(name in parameters for name in nested)
        given: dict[str, Any] = {}
        for name in nested:
            if name in parameters:
                given |= as_mapping(parameters.pop(name), owner, name)
        given |= parameters
        changes = changed_values(self.model, given, owner)
        if not (changes or was_nested or arriving):
            raise MissingFieldError(owner, "fields", "at least one field to change")
        return Plan(target, changes, is_strict)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Update the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none changed.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: The changed row would break a rule of the table.
        """
        target = plan.target
        assert target is not None, "a plan to perform names its row"  # noqa: S101
        rows = await self._rows(connection, table, target, plan.changes)
        if rows:
            return {**table.decode(rows[0]), "updated": bool(plan.changes)}
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, target.names)
        return {**(target.key or {}), "updated": False}

    async def _rows(
        self,
        connection: Connection,
        table: Table,
        target: Target,
        changes: dict[str, Any],
    ) -> Any:
        statement = (
            table.update(target.where, changes, returning=True)
            if changes
            else table.select(target.where, limit=2)
        )
        return await one_row(
            connection, statement, target, self.name, f"{self.model.name}BulkUpdateNode"
        )
