"""Read one row."""

from __future__ import annotations

from typing import Any, final

import msgspec

from ....drivers import Connection
from ....errors import RecordNotFoundError
from ....messages import Operation
from ....models import Model
from ....sql import Statement, Table
from ..._database import Database
from ..._node import Port
from .._model_node import Arriving, ModelNode, field_port
from .._options import flag
from .._target import Target, TargetReader, target_ports

__all__ = ["ReadNode"]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which row, and whether it must be there."""

    target: Target
    is_strict: bool


@final
class ReadNode(ModelNode[Plan]):
    """Replies with every column of one row, and ``found``.

    A filter that matches several rows gives the one with the least key.
    """

    operation = Operation.READ
    suffix = "ReadNode"

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        self._targets = TargetReader(model)

    def ports(self) -> list[Port]:
        """Return what names the row, and ``raise_on_not_found``."""
        return [*target_ports(self.model), Port("raise_on_not_found", bool)]

    def results(self) -> list[Port]:
        """Return the columns and ``found``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("found", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return which row is meant."""
        self.refuse_unknown(parameters, owner)
        is_strict = flag(parameters, "raise_on_not_found", owner, default=True)
        return Plan(self._targets.read(parameters, owner, arriving), is_strict)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Select the row.

        Raises:
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
        """
        target = plan.target
        (result,) = await connection.run((_statement(table, target),))
        if result.rows:
            row = table.decode(result.rows[0])
            row["found"] = True
            return row
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, target.names)
        return {**target.absent(self.model), "found": False}


def _statement(table: Table, target: Target) -> Statement:
    if target.key is not None:
        return table.read(target.key)
    return table.select(target.where, order=table.key_order, limit=1)
