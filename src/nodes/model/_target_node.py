"""The base of the nodes that work on a row that is there."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from ...drivers import Connection, Row
from ...errors import RecordNotFoundError
from ...models import Model
from ...sql import Filter, Table, conjunction
from .._database import Database
from .._node import Port
from ._model_node import Arriving
from ._row_node import RowNode
from ._target import Target, TargetReader, run_on_one_row, target_ports
from .guards import Attempt
from .parameters import check_version, flag, take_version

__all__ = ["TargetNode", "TargetPlan"]

_MUST_EXIST: Final = "raise_on_not_found"


class TargetPlan(msgspec.Struct, frozen=True, eq=False):
    """Which row, whether it must be there, and which version of it, if one is said."""

    target: Target
    is_strict: bool
    expected: Filter | None = None

    @property
    def where(self) -> Filter:
        """The filter that finds the row in the version that is expected."""
        parts = (self.target.where, self.expected)
        return conjunction(part for part in parts if part is not None)


PlanT = TypeVar("PlanT", bound=TargetPlan)


class TargetNode(RowNode[PlanT]):
    """One operation on a row that is named by its key or by a filter.

    Attributes:
        outcome: The output that says whether the row was there.
        is_strict: Whether a row that is not there is an error when nobody says.
    """

    outcome: ClassVar[str]
    is_strict: ClassVar[bool]

    def __init__(self, model: Model, database: Database) -> None:
        super().__init__(model, database)
        self._targets = TargetReader(model)

    def ports(self) -> list[Port]:
        """Return what names the row, and ``raise_on_not_found``."""
        return [*target_ports(self.model), Port(_MUST_EXIST, bool)]

    def _must_exist(self, parameters: dict[str, Any], owner: str) -> bool:
        """Take the parameter that says so."""
        default = self.is_strict
        if _MUST_EXIST not in parameters:
            return default
        return flag(parameters, _MUST_EXIST, owner, default=default)

    def _target(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving
    ) -> Target:
        """Take what names the row."""
        return self._targets.read(parameters, owner, arriving)

    def _target_plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving
    ) -> TargetPlan:
        """Return the plan of a node that is told nothing else."""
        self.refuse_unknown(parameters, owner)
        must_exist = self._must_exist(parameters, owner)
        has_versions = self.model.version_field is not None
        expected = self._expected(parameters, owner) if has_versions else None
        target = self._target(parameters, owner, arriving)
        return TargetPlan(target, must_exist, expected)

    def _expected(self, parameters: dict[str, Any], owner: str) -> Filter | None:
        """Take the version that the row must have, if one is said."""
        return take_version(self.model, parameters, owner)

    async def _perform_on_one(
        self, connection: Connection, table: Table, plan: PlanT, bulk: str
    ) -> dict[str, Any]:
        """Carry out one plan that changes a row; *bulk* is the kind for several.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none changed.
        """
        name = f"{self.model.name}{bulk}"
        run = partial(
            run_on_one_row,
            connection,
            self.statements(table, plan),
            plan.target,
            self.name,
            name,
        )
        if plan.expected is None:
            return self.reply(table, plan, await run())
        async with connection.transaction():
            results = await run()
            if not results[-1].rows:
                await check_version(connection, table, plan.target.where, plan.expected)
        return self.reply(table, plan, results)

    def attempt(self, plan: PlanT) -> Attempt:
        """Return which row was to change."""
        return Attempt(self.model, self.operation, where=plan.target.where)

    def _absent(self, plan: TargetPlan) -> dict[str, Any]:
        """Return the reply for a row that is not there.

        Raises:
            RecordNotFoundError: It must be.
        """
        if plan.is_strict:
            raise RecordNotFoundError(self.model.name, plan.target.names)
        return {**plan.target.absent(), self.outcome: False}

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: PlanT) -> Hashable | None:
        """Let plans share a statement whose rows are named by their key."""
        del table
        is_alone = plan.target.key is None or plan.expected is not None
        return None if is_alone else self.suffix

    @staticmethod
    def _keys(table: Table, plans: Sequence[PlanT]) -> dict[Hashable, dict[str, Any]]:
        """Return the keys of plans of a shape, each once, in order.

        Statements that run at once then lock rows in the same order, as long as the
        database looks for one key after the other; where it reads the table instead,
        they come in the order of that.
        """
        keys = [plan.target.key or {} for plan in plans]
        distinct = {table.arrays.encode_key(key): key for key in keys}
        return {encoded: distinct[encoded] for encoded in sorted(distinct)}

    def divide(
        self, table: Table, plans: Sequence[PlanT], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Give each plan its row; plans of the same key get the same one."""
        keys = list(self._keys(table, plans))
        found: dict[Hashable, Row] = {keys[row[-1] - 1]: row[:-1] for row in rows}
        wanted = [table.arrays.encode_key(plan.target.key or {}) for plan in plans]
        return [(found[key],) if key in found else () for key in wanted]
