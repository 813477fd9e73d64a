"""Count rows."""

from __future__ import annotations

from typing import Any, final

from ....drivers import Connection
from ....messages import Operation
from ....sql import Filter, Table, parse
from ..._node import Port
from .._model_node import Arriving, ModelNode

__all__ = ["CountNode"]


@final
class CountNode(ModelNode[Filter]):
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

    async def perform(
        self, connection: Connection, table: Table, plan: Filter
    ) -> dict[str, Any]:
        """Count the rows."""
        (result,) = await connection.run((table.count(plan),))
        return {"count": result.rows[0][0]}
