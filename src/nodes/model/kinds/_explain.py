"""Explain how the database goes about a list."""

from __future__ import annotations

import time
from typing import Any, final

import msgspec

from ....drivers import Connection
from ....messages import Operation
from ....models import Model
from ....sql import (
    POSTGRESQL,
    Explanation,
    Guarded,
    Table,
    clear,
    explain,
    explained,
)
from ..._database import Database
from ..._node import Port
from .._model_node import Arriving, ModelNode
from ..parameters import flag
from ._list import ListNode
from ._list import Plan as ListPlan

__all__ = ["ExplainNode"]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which list, and whether it is executed as well."""

    listed: ListPlan
    is_executed: bool


@final
class ExplainNode(ModelNode[Plan]):
    """Replies with the plan of a list; for direct calls only.

    It takes the parameters of a list, and executes nothing unless asked.
    """

    operation = Operation.EXPLAIN
    suffix = "ExplainNode"
    keeps_tenant = True

    def __init__(self, model: Model, database: Database) -> None:
        self._list = ListNode(model, database)
        super().__init__(model, database)

    def ports(self) -> list[Port]:
        """Return those of a list, and whether it is executed."""
        return [*self._list.ports(), Port("analyze", bool)]

    def results(self) -> list[Port]:
        """Return the explanation."""
        return [Port("explanation", Explanation)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return the list that is to be explained."""
        is_executed = flag(parameters, "analyze", owner, default=False)
        return Plan(self._list.plan(parameters, owner, arriving), is_executed)

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Ask for the plan, and execute the list if that is wanted."""
        listed, dialect = plan.listed, table.dialect
        statement = self._list.select(table, listed)
        asked = explain(statement, dialect, execute=plan.is_executed)
        if isinstance(statement, Guarded):
            asked = clear(asked)  # it runs the same, or nothing
        (answer,) = await connection.run([asked])
        explanation = explained(
            statement,
            answer.rows,
            self.model,
            dialect,
            where=listed.where,
            order=listed.order,
            is_shared=bool(table.fixed),
        )
        if plan.is_executed and dialect is not POSTGRESQL:
            began = time.perf_counter()
            (result,) = await connection.run([statement])
            explanation = msgspec.structs.replace(
                explanation,
                rows=len(result.rows),
                duration_s=time.perf_counter() - began,
            )
        return {"explanation": explanation}
