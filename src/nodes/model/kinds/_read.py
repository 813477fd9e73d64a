"""Read one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from ....messages import Operation
from ....sql import Result, Statement, Table
from ..._node import Port
from .._model_node import Arriving, field_port
from .._target_node import TargetNode, TargetPlan

__all__ = ["ReadNode"]


@final
class ReadNode(TargetNode[TargetPlan]):
    """Replies with every column of one row, and ``found``.

    A filter that matches several rows gives the one with the least key. One that
    is not there raises `RecordNotFoundError` unless ``raise_on_not_found=False``.
    """

    operation = Operation.READ
    suffix = "ReadNode"
    outcome = "found"
    is_strict = True

    def results(self) -> list[Port]:
        """Return the columns and ``found``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("found", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> TargetPlan:
        """Return which row is meant."""
        return self._target_plan(parameters, owner, arriving)

    def statements(self, table: Table, plan: TargetPlan) -> Sequence[Statement]:
        """Select the row."""
        target = plan.target
        if target.key is not None:
            return (table.read(target.key),)
        return (table.select(target.where, order=table.key_order, limit=1),)

    def reply(
        self, table: Table, plan: TargetPlan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the row, and ``found``."""
        rows = results[0].rows
        if not rows:
            return self._absent(plan)
        row = table.decode(rows[0])
        row["found"] = True
        return row

    # -- several plans --------------------------------------------------------------

    def merge(self, table: Table, plans: Sequence[TargetPlan]) -> Statement:
        """Select the rows of all keys."""
        return table.arrays.read(tuple(self._keys(table, plans).values()))
