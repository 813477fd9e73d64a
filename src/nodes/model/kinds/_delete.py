"""Delete one row."""

from __future__ import annotations

from typing import Any, final

import msgspec

from ....drivers import Connection
from ....errors import RecordNotFoundError
from ....messages import Operation
from ....models import Model
from ....sql import Table
from ..._database import Database
from ..._node import Port
from .._key import key_decoder
from .._model_node import Arriving, ModelNode, field_port
from .._options import flag
from .._target import Target, TargetReader, one_row, target_ports

__all__ = ["DeleteNode"]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which row, and whether it must be there."""

    target: Target
    is_strict: bool


@final
class DeleteNode(ModelNode[Plan]):
    """Deletes one row and replies with its key, and ``deleted``.

    A row that is not there gives ``deleted: False``.
    """

    operation = Operation.DELETE
    suffix = "DeleteNode"

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        self._targets = TargetReader(model)

    def ports(self) -> list[Port]:
        """Return what names the row, and ``raise_on_not_found``."""
        return [*target_ports(self.model), Port("raise_on_not_found", bool)]

    def results(self) -> list[Port]:
        """Return the key and ``deleted``."""
        key = [field_port(self.model.field(name)) for name in self.model.key]
        return [*key, Port("deleted", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return which row is meant."""
        self.refuse_unknown(parameters, owner)
        is_strict = flag(parameters, "raise_on_not_found", owner, default=False)
        return Plan(self._targets.read(parameters, owner, arriving), is_strict)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Delete the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none is deleted.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: Another row refers to it.
        """
        target = plan.target
        statement = table.delete(target.where, returning=True)
        bulk = f"{self.model.name}BulkDeleteNode"
        rows = await one_row(connection, statement, target, self.name, bulk)
        if rows:
            return {**key_decoder(table).decode(rows[0]), "deleted": True}
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, target.names)
        return {**target.absent(self.model), "deleted": False}
