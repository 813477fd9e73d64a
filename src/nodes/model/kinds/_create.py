"""Create one row."""

from __future__ import annotations

from functools import partial
from typing import Any, final

from ....drivers import Connection
from ....errors import DuplicateKeyError
from ....messages import Operation
from ....sql import Table
from ..._node import Port
from .._model_node import Arriving, ModelNode, field_port
from .._repair import insert_again
from .._values import new_values

__all__ = ["CreateNode"]


@final
class CreateNode(ModelNode[dict[str, Any]]):
    """Stores one row and replies with every column of it, as stored."""

    operation = Operation.CREATE
    suffix = "CreateNode"

    def ports(self) -> list[Port]:
        """Return one port per field."""
        fields = self.model.fields
        return [field_port(each, is_required=each.is_required) for each in fields]

    def results(self) -> list[Port]:
        """Return the columns."""
        return [field_port(each) for each in self.model.fields]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> dict[str, Any]:
        """Return the values of the row."""
        return new_values(self.model, parameters, owner, arriving)

    async def perform(
        self, connection: Connection, table: Table, plan: dict[str, Any]
    ) -> dict[str, Any]:
        """Insert the row.

        Raises:
            DuplicateKeyError: There is a row with the same key.
            ConstraintError: The row breaks another rule of the table.
        """
        statements = (table.insert(plan),)
        try:
            (result,) = await connection.run(statements)
        except DuplicateKeyError as error:
            insert = partial(connection.run, statements)
            (result,) = await insert_again(connection, table, error, plan, insert)
        return table.decode(result.rows[0])
