"""Create one row, or change the one that is there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Final, final

import msgspec
from msgspec.structs import replace

from ....drivers import Connection, Row
from ....errors import (
    ConstraintError,
    DuplicateKeyError,
    FieldValueError,
    MissingFieldError,
)
from ....messages import Operation
from ....sql import Result, Statement, Table
from ..._node import Port
from .._model_node import Arriving
from .._row_node import RowNode
from ..bulk import insert_again
from ..guards import Attempt
from ..parameters import as_mapping, changed_values, conflict_fields, new_values

__all__ = ["UpsertNode"]

_PARTS: Final = ("where", "create", "update")


class Plan(msgspec.Struct, frozen=True, eq=False):
    """The row to create, or what to change of the one with the same *conflict*."""

    values: dict[str, Any]
    conflict: Sequence[str]
    changes: dict[str, Any]


@final
class UpsertNode(RowNode[Plan]):
    """Replies with ``record``, ``created`` and ``action`` (created or updated).

    ``where`` holds the values of a unique key; ``create`` what a new row has
    besides; ``update`` what changes in an existing one, and what a new one has as
    far as ``create`` does not say. One statement decides, so of many callers at
    once exactly one creates.
    """

    operation = Operation.UPSERT
    suffix = "UpsertNode"

    def ports(self) -> list[Port]:
        """Return where, create, update and conflict_on."""
        return [
            Port("where", dict, is_required=True),
            Port("create", dict),
            Port("update", dict),
            Port("conflict_on", list | tuple),
        ]

    def results(self) -> list[Port]:
        """Return the record and what became of it."""
        return [Port("record", dict), Port("created", bool), Port("action", str)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return the row and the change."""
        self.refuse_unknown(parameters, owner)
        where, create, update = (
            as_mapping(parameters.get(name) or {}, owner, name) for name in _PARTS
        )
        changes = changed_values(self.model, update, owner)
        if arriving:
            for part in (where, create):
                changed_values(self.model, part, owner)
            return Plan({}, (), changes)
        if not where:
            raise MissingFieldError(owner, "where", "the values of a unique key")
        fields = parameters.get("conflict_on") or list(where)
        conflict = conflict_fields(self.model, fields, owner, "conflict_on")
        _check_where(where, conflict, owner)
        given = {**update, **create, **where}
        values = new_values(self.model, given, owner, arriving)
        return Plan(values, conflict, changes)

    def statements(self, table: Table, plan: Plan) -> Sequence[Statement]:
        """Insert or update."""
        return table.upsert(plan.values, plan.conflict, plan.changes)

    def reply(
        self, table: Table, plan: Plan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the record and what became of it.

        Raises:
            ConstraintError: A trigger kept the row out.
        """
        del plan
        rows = results[-1].rows
        if not rows:
            raise ConstraintError("trigger", self.model.table, ())
        was_created = table.was_created(results)
        return {
            "record": table.decode(rows[0][: len(self.model.fields)]),
            "created": was_created,
            "action": "created" if was_created else "updated",
        }

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Insert or update.

        Raises:
            ConstraintError: The row breaks a rule other than that of the key.
        """
        run = partial(connection.run, self.statements(table, plan))
        try:
            results = await run()
        except DuplicateKeyError as error:
            results = await insert_again(connection, table, error, plan.values, run)
        return self.reply(table, plan, results)

    def attempt(self, plan: Plan) -> Attempt:
        """Return the row that was to be stored."""
        return Attempt(self.model, self.operation, {**plan.values, **plan.changes})

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: Plan) -> Hashable | None:
        """Let plans for the same columns be sent at once."""
        del table
        return tuple(plan.values), tuple(plan.conflict), tuple(plan.changes)

    def merge(self, table: Table, plans: Sequence[Plan]) -> Statement:
        """Upsert all rows, one after the other, by one statement sent once."""
        each = [self.statements(table, plan)[0] for plan in plans]
        in_order = [each[place].parameters for place in self._order(table, plans)]
        return replace(each[0], parameters=in_order, many=True)

    def divide(
        self, table: Table, plans: Sequence[Plan], rows: Sequence[Row]
    ) -> list[Sequence[Row]]:
        """Give each plan its row.

        Raises:
            LookupError: A trigger kept a row out.
        """
        if len(rows) != len(plans):
            raise LookupError
        shares: list[Sequence[Row]] = [()] * len(plans)
        for place, row in zip(self._order(table, plans), rows, strict=True):
            shares[place] = (row,)
        return shares

    def _order(self, table: Table, plans: Sequence[Plan]) -> list[int]:
        """Return the places of *plans* by key, so that two turns lock rows alike."""

        def key(place: int) -> tuple[Any, ...]:
            values = plans[place].values
            return tuple(
                table.encode({name: values[name] for name in plans[0].conflict})
            )

        return sorted(range(len(plans)), key=key)


def _check_where(where: Mapping[str, Any], conflict: Sequence[str], owner: str) -> None:
    """Check that *where* holds the unique key, all of it and nothing else."""
    for name in conflict:
        if where.get(name) is None:
            raise MissingFieldError(owner, f"where.{name}", "a value of the unique key")
    for name in where:
        if name not in conflict:
            expected = f"only the fields of the unique key ({', '.join(conflict)})"
            raise FieldValueError(owner, "where", repr(name), expected)
