"""Count rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, final

from ....drivers import Row
from ....errors import FilterError
from ....messages import Operation
from ....sql import Filter, Result, Statement, Table, parse
from ..._node import Port
from .._model_node import Arriving
from .._row_node import RowNode

__all__ = ["CountNode"]


@final
class CountNode(RowNode[Filter]):
    """Replies with ``count``, the number of rows a filter lets through."""

    operation = Operation.COUNT
    suffix = "CountNode"

    def ports(self) -> list[Port]:
        """Return the filter."""
        return [Port("filter", dict | None)]

    def results(self) -> list[Port]:
        """Return the count."""
        return [Port("count", int)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Filter:
        """Return the filter."""
        self.refuse_unknown(parameters, owner)
        return parse(parameters.get("filter"), self.model)

    def statements(self, table: Table, plan: Filter) -> Sequence[Statement]:
        """Count the rows."""
        return (table.count(plan),)

    def reply(
        self, table: Table, plan: Filter, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the count."""
        del table, plan
        return {"count": results[0].rows[0][0]}

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: Filter) -> Hashable | None:
        """Let plans share a statement if it is the same, values included."""
        try:
            (statement,) = self.statements(table, plan)
            shape = statement.text, tuple(statement.parameters)
            hash(shape)
        except (FilterError, TypeError):  # too large for the database; with a list
            return None
        return shape

    def merge(self, table: Table, plans: Sequence[Filter]) -> Statement:
        """Count the rows once."""
        return table.count(plans[0])

    def divide(
        self, table: Table, plans: Sequence[Filter], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Give each plan the one count."""
        del table
        return [rows for _ in plans]
