"""The base of the nodes that work on many rows."""

from __future__ import annotations

from typing import Any, TypeVar

from ....drivers import Driver
from ....sql import Table
from ...limits import Pace
from .._model_node import ModelNode

__all__ = ["BulkNode"]

PlanT = TypeVar("PlanT")


class BulkNode(ModelNode[PlanT]):
    """A node that takes its connections itself, as many as it needs."""

    async def work(
        self, driver: Driver, table: Table, plan: PlanT, pace: Pace
    ) -> dict[str, Any]:
        """Carry out a plan; here on one connection, as `perform` says.

        Args:
            driver: Connections.
            table: The rows.
            plan: What to do.
            pace: At which to go on, if it is long.
        """
        del pace
        async with driver.acquire() as connection:
            return await self.perform(connection, table, plan)
