"""Delete one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from ....drivers import Connection, Row
from ....messages import Operation
from ....sql import Result, Statement, Table
from ..._node import Port
from .._model_node import Arriving, field_port
from .._target_node import TargetNode, TargetPlan
from ..parameters import key_decoder, version_ports

__all__ = ["DeleteNode"]


@final
class DeleteNode(TargetNode[TargetPlan]):
    """Deletes one row and replies with its key, and ``deleted``.

    A row that is not there gives ``deleted: False``.
    """

    operation = Operation.DELETE
    suffix = "DeleteNode"
    outcome = "deleted"
    is_strict = False

    def ports(self) -> list[Port]:
        """Return what names the row, and the version it must have."""
        return [*super().ports(), *version_ports(self.model)]

    def results(self) -> list[Port]:
        """Return the key and ``deleted``."""
        key = [field_port(self.model.field(name)) for name in self.model.key]
        return [*key, Port("deleted", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> TargetPlan:
        """Return which row is meant."""
        return self._target_plan(parameters, owner, arriving)

    def statements(self, table: Table, plan: TargetPlan) -> Sequence[Statement]:
        """Delete the row."""
        key = plan.target.key
        if key is not None and plan.expected is None:
            return (table.delete_key(key),)
        where = plan.target.where if plan.expected is None else plan.where
        return (table.delete(where, returning=True),)

    def reply(
        self, table: Table, plan: TargetPlan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the key of what was deleted."""
        rows = results[0].rows
        if not rows:
            return self._absent(plan)
        return {**key_decoder(table).decode(rows[0]), "deleted": True}

    async def perform(
        self, connection: Connection, table: Table, plan: TargetPlan
    ) -> dict[str, Any]:
        """Delete the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none is deleted.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: Another row refers to it.
        """
        return await self._perform_on_one(connection, table, plan, "BulkDeleteNode")

    # -- several plans --------------------------------------------------------------

    def merge(self, table: Table, plans: Sequence[TargetPlan]) -> Statement:
        """Delete the rows of all keys."""
        return table.arrays.delete(tuple(self._keys(table, plans).values()))

    def divide(
        self, table: Table, plans: Sequence[TargetPlan], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Give each row to the first plan for it; the next one finds nothing."""
        shares = super().divide(table, plans, rows)
        given: set[tuple[Any, ...]] = set()
        for number, share in enumerate(shares):
            key = tuple(share[0]) if share else None
            if key in given:
                shares[number] = ()
            elif key is not None:
                given.add(key)
        return shares
