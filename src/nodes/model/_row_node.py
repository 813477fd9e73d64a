"""The base of the nodes whose requests concern one row each.

What waits for such a node is carried out together where that is possible. A kind
says three things, all of them pure: what it runs for one plan and what it makes of
the result; which plans may share a statement; and how the shared result is divided.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Hashable, Sequence
from typing import Any, TypeVar

from ...drivers import Connection, Row
from ...sql import Result, Statement, Table
from ._model_node import ModelNode
from .guards import Attempt

__all__ = ["RowNode"]

PlanT = TypeVar("PlanT")


class RowNode(ModelNode[PlanT]):
    """One operation on one row of one model."""

    # -- one plan -----------------------------------------------------------------

    @abstractmethod
    def statements(self, table: Table, plan: PlanT) -> Sequence[Statement]:
        """Return what carries out *plan*, all of it or nothing."""

    @abstractmethod
    def reply(
        self, table: Table, plan: PlanT, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the reply to *plan*, given the results of its statements.

        Raises:
            DataFlowError: The results mean that it failed.
        """

    def perform(
        self, connection: Connection, table: Table, plan: PlanT
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Carry out one plan by itself."""
        return self._perform_alone(connection, table, plan)

    async def _perform_alone(
        self, connection: Connection, table: Table, plan: PlanT
    ) -> dict[str, Any]:
        results = await connection.run(self.statements(table, plan))
        return self.reply(table, plan, results)

    def attempt(self, plan: PlanT) -> Attempt:
        """Return what *plan* writes, to find out why a foreign key refused it."""
        del plan
        return Attempt(self.model, self.operation)

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: PlanT) -> Hashable | None:
        """Return what plans agree in that may be carried out together; None: alone."""
        del table, plan
        return None

    def identity(self, table: Table, plan: PlanT) -> Hashable | None:
        """Return what no two plans in one statement may share; None: anything."""
        del table, plan
        return None

    def merge(self, table: Table, plans: Sequence[PlanT]) -> Statement:
        """Return the one statement for plans of the same shape (PostgreSQL)."""
        raise NotImplementedError

    def divide(
        self, table: Table, plans: Sequence[PlanT], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Return the rows of each plan, as the last of its own statements yields them.

        Raises:
            LookupError: The rows do not tell whose they are.
        """
        raise NotImplementedError
