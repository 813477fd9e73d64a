"""Delete one row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, final

import msgspec

from ...drivers import Connection
from ...errors import RecordNotFoundError
from ...messages import Operation
from ...models import Model
from ...sql import RowCodec, Table
from .._database import Database
from .._key import Target, TargetReader, one_row
from .._model_node import ModelNode, field_port
from .._node import Port
from .._options import flag, target_ports

__all__ = ["DeleteNode"]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which row, and whether it must be there."""

    target: Target | None
    is_strict: bool


@final
class DeleteNode(ModelNode):
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
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Plan:
        """Return which row is meant."""
        is_strict = flag(parameters, "raise_on_not_found", owner, default=False)
        target = self._targets.read(parameters, owner, arriving)
        self.refuse_unknown(parameters, owner)
        return Plan(target, is_strict)

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
        assert target is not None, "a plan to perform names its row"  # noqa: S101
        statement = table.delete(target.where, returning=True)
        rows = await one_row(
            connection, statement, target, self.name, f"{self.model.name}BulkDeleteNode"
        )
        if rows:
            key: RowCodec = table.decoder(self.model.key)
            return {**key.decode(rows[0]), "deleted": True}
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, target.names)
        return {**(target.key or {}), "deleted": False}
