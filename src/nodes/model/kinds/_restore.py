"""Let a deleted row be there again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, final

from ....drivers import Connection
from ....messages import Operation
from ....models import Model
from ....sql import Compare, Comparison, Result, Statement, Table, conjunction, negation
from ..._node import Port
from .._model_node import Arriving, field_port
from .._target_node import TargetNode, TargetPlan

__all__ = ["RestoreNode"]


@final
class RestoreNode(TargetNode[TargetPlan]):
    """Restores one deleted row and replies with every column of it, and ``restored``.

    A row that is not there, or not deleted, gives ``restored: False``. One whose place
    was taken, in a unique group, is a `DuplicateKeyError`.
    """

    operation = Operation.RESTORE
    suffix = "RestoreNode"
    outcome = "restored"
    is_strict = False

    @classmethod
    def suits(cls, model: Model) -> bool:
        """Whether deleted rows are kept."""
        return model.deleted_field is not None

    def results(self) -> list[Port]:
        """Return the columns and ``restored``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("restored", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> TargetPlan:
        """Return which row is meant."""
        return self._target_plan(parameters, owner, arriving)

    def statements(self, table: Table, plan: TargetPlan) -> Sequence[Statement]:
        """Mark the row as not deleted."""
        name = str(self.model.deleted_field)
        is_alive = Compare(self.model.field(name), Comparison.EQ, None)
        where = conjunction((plan.target.where, negation(is_alive)))
        return (table.update(where, {name: None}, returning=True),)

    def reply(
        self, table: Table, plan: TargetPlan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the row as it is stored now, and ``restored``."""
        rows = results[0].rows
        if not rows:
            return self._absent(plan)
        return {**table.decode(rows[0]), "restored": True}

    async def perform(
        self, connection: Connection, table: Table, plan: TargetPlan
    ) -> dict[str, Any]:
        """Restore the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none is restored.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: The row would break a rule of the table.
        """
        return await self._perform_on_one(connection, table, plan, "RestoreNode")

    def shape(self, table: Table, plan: TargetPlan) -> Hashable | None:
        """Let each be restored by itself."""
        del table, plan
        return None
