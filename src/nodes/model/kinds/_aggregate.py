"""Compute sums, counts and their like, of all rows or of groups of them."""

from __future__ import annotations

from typing import Any, final

import msgspec

from ....drivers import Connection
from ....errors import FieldValueError, MissingFieldError, OutOfRangeError
from ....messages import Operation
from ....sql import (
    ALL,
    Aggregate,
    Filter,
    Groups,
    Table,
    Term,
    parse,
    parse_aggregates,
)
from ..._node import Port
from .._model_node import Arriving, ModelNode
from ..parameters import as_list, came, single_fields, whole_number

__all__ = ["AggregateNode"]

_TOO_LARGE = "a sum or an average of floats is beyond what a float holds"


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which rows, in which groups, and which of those in which order."""

    where: Filter
    groups: Groups
    having: Filter
    order: tuple[Term, ...]
    limit: int | None
    offset: int


@final
class AggregateNode(ModelNode[Plan]):
    """Replies with ``groups``, each a dict of the fields grouped by and the aliases.

    Without ``group_by`` there is one group, even of no rows: its counts are 0, its
    other values None. ``count`` in the result is the number of groups in it.
    """

    operation = Operation.AGGREGATE
    suffix = "AggregateNode"

    def ports(self) -> list[Port]:
        """Return which rows, which groups, what of them and in which order."""
        return [
            Port("aggregates", dict, is_required=True),
            Port("filter", dict | None),
            Port("group_by", str | list | tuple | None),
            Port("having", dict | None),
            Port("order_by"),
            Port("limit", int | None),
            Port("offset", int),
        ]

    def results(self) -> list[Port]:
        """Return the groups and their number."""
        return [Port("groups", list), Port("count", int)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return what is to be computed of which rows."""
        self.refuse_unknown(parameters, owner)
        names = _names(parameters.get("group_by"), owner)
        fields = single_fields(self.model, names, owner, "group_by")
        aggregates: tuple[Aggregate, ...] = ()
        later = arriving or ()
        # What names results is checked once it is known what results there are.
        is_known = not {"aggregates", "group_by"}.intersection(later)
        if "aggregates" in parameters:
            taken = [field.name for field in fields]
            aggregates = parse_aggregates(parameters["aggregates"], self.model, taken)
        elif "aggregates" not in later:
            expected = "what to compute, such as {'n': {'$count': '*'}}"
            raise MissingFieldError(owner, "aggregates", expected)
        groups = Groups(self.model, fields, aggregates, owner)
        return Plan(
            where=parse(parameters.get("filter"), self.model),
            groups=groups,
            having=groups.having(parameters.get("having")) if is_known else ALL,
            order=groups.order(parameters.get("order_by")) if is_known else (),
            limit=_limit(parameters, owner),
            offset=whole_number(parameters, "offset", owner, default=0, least=0),
        )

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Select the groups."""
        statement = table.select_groups(
            plan.groups,
            plan.where,
            having=plan.having,
            order=plan.order,
            limit=plan.limit,
            offset=plan.offset,
        )
        try:
            (result,) = await connection.run((statement,))
        except OutOfRangeError as error:
            raise OutOfRangeError(_TOO_LARGE, error.code) from error
        return {"groups": result.rows, "count": result.count}


def _names(given: object, owner: str) -> list[object]:
    if given is None:
        return []
    names = [given] if isinstance(given, str) else as_list(given)
    if names is None:
        expected = "a field's name, or a list of names"
        raise FieldValueError(owner, "group_by", came(given), expected)
    return [*names]


def _limit(parameters: dict[str, Any], owner: str) -> int | None:
    if parameters.get("limit") is None:
        return None
    return whole_number(parameters, "limit", owner, default=0, least=0)
