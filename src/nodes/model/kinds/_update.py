"""Change one row."""

from __future__ import annotations

from typing import Any, Final, final

import msgspec

from ....drivers import Connection
from ....errors import FieldValueError, MissingFieldError, RecordNotFoundError
from ....messages import Operation
from ....models import Model
from ....sql import Table
from ..._database import Database
from ..._node import Port
from .._model_node import Arriving, ModelNode, field_port
from .._options import flag
from .._target import Target, TargetReader, one_row, target_ports
from .._values import as_mapping, changed_values

__all__ = ["UpdateNode"]

_NESTED: Final = ("fields", "update", "updates")


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which row, what changes, and whether the row must be there."""

    target: Target
    changes: dict[str, Any]
    is_strict: bool


@final
class UpdateNode(ModelNode[Plan]):
    """Changes one row and replies with every column of it, and ``updated``.

    The new values stand flat beside the key, or in ``fields`` (``update``); to
    change a key itself, use ``fields``. A row that is not there gives
    ``updated: False``, and so does a ``fields`` without any.
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
        nested = [Port(name, dict) for name in _nested(self.model)]
        return [*named, *fields, *nested, Port("raise_on_not_found", bool)]

    def results(self) -> list[Port]:
        """Return the columns and ``updated``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("updated", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return which row is meant and what changes."""
        self.refuse_unknown(parameters, owner)
        is_strict = flag(parameters, "raise_on_not_found", owner, default=False)
        target = self._targets.read(parameters, owner, arriving)
        was_nested = not parameters.keys().isdisjoint(_nested(self.model))
        changes = changed_values(self.model, self._given(parameters, owner), owner)
        if not (changes or was_nested or arriving):
            raise MissingFieldError(owner, "fields", "at least one field to change")
        return Plan(target, changes, is_strict)

    def _given(self, parameters: dict[str, Any], owner: str) -> dict[str, Any]:
        """Return the new values, wherever they stand."""
        nested = [name for name in _nested(self.model) if name in parameters]
        given = {name: parameters[name] for name in parameters if name not in nested}
        for name in nested:
            for field, value in as_mapping(parameters[name], owner, name).items():
                if field in given:
                    raise FieldValueError(owner, field, "two values", "one")
                given[field] = value
        return given

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Update the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none changed.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: The changed row would break a rule of the table.
        """
        target, changes = plan.target, plan.changes
        statement = (
            table.update(target.where, changes, returning=True)
            if changes
            else table.select(target.where, limit=2)
        )
        bulk = f"{self.model.name}BulkUpdateNode"
        rows = await one_row(connection, statement, target, self.name, bulk)
        if rows:
            return {**table.decode(rows[0]), "updated": bool(changes)}
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, target.names)
        return {**target.absent(self.model), "updated": False}


def _nested(model: Model) -> list[str]:
    """Return the parameters that hold new values, leaving out real fields."""
    return [name for name in _NESTED if name not in model.names]
