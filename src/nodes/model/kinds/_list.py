"""List the rows that a filter lets through, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, final

import msgspec

from ...drivers import Connection
from ...errors import FieldValueError
from ...messages import Operation
from ...sql import ALL, And, Cursor, Filter, Table, Term, parse, parse_order
from .._model_node import ModelNode
from .._node import Port
from .._options import flag, whole_number

__all__ = ["DEFAULT_LIMIT", "ListNode"]

DEFAULT_LIMIT = 10
"""Records in a page when nothing is said; None asks for all."""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Which rows, in which order, from where, how many, and what of them."""

    given: Any
    where: Filter
    order: Sequence[Term]
    limit: int | None
    offset: int
    page: Filter
    names: tuple[str, ...] | None
    with_total: bool


@final
class ListNode(ModelNode):
    """Replies with a page of records, and the cursor of the next one.

    ``count`` in the result is the number of records in the page; ``count=True``
    adds ``total``, the number of all records the filter lets through.
    """

    operation = Operation.LIST
    suffix = "ListNode"

    def ports(self) -> list[Port]:
        """Return filter, order, page and projection."""
        return [
            Port("filter", dict | None),
            Port("order_by"),
            Port("sort"),
            Port("limit", int | None),
            Port("offset", int),
            Port("cursor", str | None),
            Port("fields", list | tuple | None),
            Port("count", bool),
        ]

    def results(self) -> list[Port]:
        """Return the records and what says where they stand."""
        return [
            Port("records", list),
            Port("count", int),
            Port("limit", int | None),
            Port("offset", int),
            Port("next_cursor", str | None),
            Port("total", int),
        ]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Plan:
        """Return the page that is asked for."""
        self.refuse_unknown(parameters, owner)
        given = parameters.get("filter")
        where = parse(given, self.model)
        order = _order(self.model, parameters, owner)
        cursor = parameters.get("cursor")
        page = ALL if cursor is None else Cursor.filter(cursor, order, given)
        offset = whole_number(parameters, "offset", owner, default=0, least=0)
        if cursor is not None and offset:
            expected = "either a cursor or an offset"
            raise FieldValueError(owner, "offset", "both", expected)
        return Plan(
            given=given,
            where=where,
            order=order,
            limit=_limit(parameters, owner),
            offset=offset,
            page=page,
            names=self._names(parameters.get("fields"), owner),
            with_total=flag(parameters, "count", owner, default=False),
        )

    def _names(self, given: object, owner: str) -> tuple[str, ...] | None:
        if given is None:
            return None
        if not isinstance(given, list | tuple) or not given:
            came = "an empty list" if given == [] else type(given).__name__
            raise FieldValueError(owner, "fields", came, "a list of field names")
        for name in given:
            self.model.field(str(name), owner)
        return tuple(dict.fromkeys(given))

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Select the page; one row more says whether there is a next one.

        Page and total are read in one transaction.
        """
        names = plan.names
        columns = names
        if names is not None:
            # The cursor is made of the order's fields, whoever asked for them.
            columns = tuple(
                dict.fromkeys((*names, *(term.field.name for term in plan.order)))
            )
        limit = None if plan.limit is None else min(plan.limit + 1, 2**63 - 1)
        statements = [
            table.select(
                plan.where if plan.page is ALL else And((plan.where, plan.page)),
                order=plan.order,
                limit=limit,
                offset=plan.offset,
                names=columns,
            )
        ]
        if plan.with_total:
            statements.append(table.count(plan.where))
        results = await connection.run(statements)
        decode = table.decoder(columns).decode
        records = [decode(row) for row in results[0].rows]
        result = _page(records, plan)
        if plan.with_total:
            result["total"] = results[1].rows[0][0]
        return result


def _page(records: list[dict[str, Any]], plan: Plan) -> dict[str, Any]:
    """Cut off the row too many, make the cursor, and keep the fields asked for."""
    next_cursor = None
    if plan.limit is not None and len(records) > plan.limit:
        del records[plan.limit :]
        if records:
            next_cursor = Cursor.of(plan.order, plan.given, records[-1]).text()
    if plan.names is not None:
        records = [{name: each[name] for name in plan.names} for each in records]
    return {
        "records": records,
        "count": len(records),
        "limit": plan.limit,
        "offset": plan.offset,
        "next_cursor": next_cursor,
    }


def _order(model: Any, parameters: dict[str, Any], owner: str) -> tuple[Term, ...]:
    if parameters.get("order_by") is not None and parameters.get("sort") is not None:
        raise FieldValueError(owner, "sort", "both", "either order_by or sort")
    return parse_order(parameters.get("order_by") or parameters.get("sort"), model)


def _limit(parameters: dict[str, Any], owner: str) -> int | None:
    if "limit" in parameters and parameters["limit"] is None:
        return None
    return whole_number(parameters, "limit", owner, default=DEFAULT_LIMIT, least=0)
