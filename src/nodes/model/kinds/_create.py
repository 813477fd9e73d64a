"""Create one row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any, final

from ....drivers import Connection, Row
from ....errors import ConstraintError, DuplicateKeyError
from ....messages import Operation
from ....sql import Result, Statement, Table
from ..._node import Port
from .._model_node import Arriving, field_port
from .._row_node import RowNode
from ..bulk import insert_again
from ..guards import Attempt
from ..parameters import new_values

__all__ = ["CreateNode"]


@final
class CreateNode(RowNode[dict[str, Any]]):
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

    def statements(self, table: Table, plan: dict[str, Any]) -> Sequence[Statement]:
        """Insert the row."""
        return (table.insert(plan),)

    def reply(
        self, table: Table, plan: dict[str, Any], results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the row as it is stored.

        Raises:
            ConstraintError: A trigger kept the row out.
        """
        del plan
        rows = results[0].rows
        if not rows:
            raise ConstraintError("trigger", self.model.table, ())
        return table.decode(rows[0])

    async def perform(
        self, connection: Connection, table: Table, plan: dict[str, Any]
    ) -> dict[str, Any]:
        """Insert the row.

        Raises:
            DuplicateKeyError: There is a row with the same key.
            ConstraintError: The row breaks another rule of the table.
        """
        statements = self.statements(table, plan)
        try:
            results = await connection.run(statements)
        except DuplicateKeyError as error:
            insert = partial(connection.run, statements)
            results = await insert_again(connection, table, error, plan, insert)
        return self.reply(table, plan, results)

    def attempt(self, plan: dict[str, Any]) -> Attempt:
        """Return the row that was to be stored."""
        return Attempt(self.model, self.operation, plan)

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: dict[str, Any]) -> Hashable | None:
        """Let rows of the same columns share a statement."""
        names = tuple(plan)
        return names if table.arrays.holds(names) or not table.merges else None

    def merge(self, table: Table, plans: Sequence[dict[str, Any]]) -> Statement:
        """Insert all rows."""
        return table.arrays.insert(tuple(plans[0]), plans)

    def divide(
        self, table: Table, plans: Sequence[dict[str, Any]], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Give each plan its row; they come in the order of the plans.

        All of them or, where triggers kept every row out, none.
        """
        del table
        return [rows[place : place + 1] for place in range(len(plans))]
