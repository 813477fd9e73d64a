"""Read one row."""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Sequence
from functools import partial
from typing import Any, final

from ....drivers import Connection
from ....messages import Operation
from ....models import Model
from ....sql import Result, Statement, Table
from ..._database import Database
from ..._node import Port
from .._include import Include, in_one_snapshot, load, read_include
from .._model_node import Arriving, field_port
from .._target_node import TargetNode, TargetPlan

__all__ = ["ReadNode"]


class ReadPlan(TargetPlan, frozen=True, eq=False):
    """Which row, and which related ones come with it."""

    include: tuple[Include, ...] = ()


@final
class ReadNode(TargetNode[ReadPlan]):
    """Replies with every column of one row, and ``found``.

    ``include`` adds related rows, under the names of their relations.

    A filter that matches several rows gives the one with the least key. One that
    is not there raises `RecordNotFoundError` unless ``raise_on_not_found=False``.
    """

    operation = Operation.READ
    suffix = "ReadNode"
    outcome = "found"
    is_strict = True

    def __init__(self, model: Model, database: Database) -> None:
        # Unless ``include`` is a part of the key.
        self._includes = "include" not in model.key
        super().__init__(model, database)

    def ports(self) -> list[Port]:
        """Return what names the row, and which related ones are wanted."""
        included = Port("include", list | tuple | str | None)
        return [*super().ports(), *([included] if self._includes else [])]

    def results(self) -> list[Port]:
        """Return the columns and ``found``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("found", bool)]

    def offers(self, name: str) -> Port | None:
        """Return the output of this name; a relation is one, if it is included."""
        port = super().offers(name)
        if port is None and name in self.model.relations:
            return Port(name)
        return port

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> ReadPlan:
        """Return which row is meant, and what comes with it."""
        given = parameters.pop("include", None) if self._includes else None
        plan = self._target_plan(parameters, owner, arriving)
        include = read_include(self.model, given, owner) if given else ()
        return ReadPlan(plan.target, plan.is_strict, include=include)

    def perform(
        self, connection: Connection, table: Table, plan: ReadPlan
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Select the row, and related ones of the same moment."""
        if not plan.include:
            return self._perform_alone(connection, table, plan)
        work = partial(self._read_with, connection, table, plan)
        return in_one_snapshot(connection, work)

    async def _read_with(
        self, connection: Connection, table: Table, plan: ReadPlan
    ) -> dict[str, Any]:
        row = await self._perform_alone(connection, table, plan)
        if row["found"]:
            await load(connection, table.dialect, [row], plan.include)
        return row

    def statements(self, table: Table, plan: ReadPlan) -> Sequence[Statement]:
        """Select the row."""
        target = plan.target
        if target.key is not None:
            return (table.read(target.key),)
        return (table.select(target.where, order=table.key_order, limit=1),)

    def reply(
        self, table: Table, plan: ReadPlan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the row, and ``found``."""
        rows = results[0].rows
        if not rows:
            return self._absent(plan)
        row = table.decode(rows[0])
        row["found"] = True
        return row

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: ReadPlan) -> Hashable | None:
        """Let plans share a statement, unless related rows follow it."""
        return None if plan.include else super().shape(table, plan)

    def merge(self, table: Table, plans: Sequence[ReadPlan]) -> Statement:
        """Select the rows of all keys."""
        return table.arrays.read(tuple(self._keys(table, plans).values()))
