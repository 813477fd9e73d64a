"""Create one row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, final

from ...drivers import Connection
from ...errors import DuplicateKeyError
from ...messages import Operation
from ...sql import Table
from .._model_node import ModelNode, field_port
from .._node import Port
from .._values import new_values

__all__ = ["CreateNode", "with_key_repair"]


@final
class CreateNode(ModelNode):
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
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
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
        statement = table.insert(plan)
        try:
            (result,) = await connection.run((statement,))
        except DuplicateKeyError as error:
            if not await with_key_repair(connection, table, error, plan):
                raise
            (result,) = await connection.run((statement,))
        return table.decode(result.rows[0])


async def with_key_repair(
    connection: Connection, table: Table, error: DuplicateKeyError, given: Collection[str]
) -> bool:
    """Move the sequence of a generated key past the keys there are, if it is behind.

    Rows that came with keys of their own (an import, an upsert) leave PostgreSQL's
    sequence behind; the first key it then makes is taken already. SQLite's
    AUTOINCREMENT looks at the table and needs none of this.

    Args:
        connection: Where *error* came from.
        table: The table.
        error: What the insert raised.
        given: The fields the insert gave.

    Returns:
        Whether the same insert is worth another try.
    """
    key = table.model.generated_key
    repair = table.repair_key()
    if repair is None or key is None or key in given or error.fields != (key,):
        return False
    await connection.run((repair,))
    return True
