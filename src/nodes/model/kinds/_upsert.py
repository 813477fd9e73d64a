"""Create one row, or change the one that is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

import msgspec

from ...drivers import Connection
from ...errors import DuplicateKeyError, FieldValueError, MissingFieldError
from ...messages import Operation
from ...models import Model
from ...sql import Table
from .._conflict import conflict_fields
from .._model_node import ModelNode
from .._node import Port
from .._repair import with_key_repair
from .._values import as_mapping, changed_values, new_values

__all__ = ["UpsertNode"]

_INPUTS = ("where", "create", "update", "conflict_on")


class Plan(msgspec.Struct, frozen=True, eq=False):
    """The row to create, or what to change of the one with the same *conflict*."""

    values: dict[str, Any]
    conflict: Sequence[str]
    changes: dict[str, Any]


@final
class UpsertNode(ModelNode):
    """Replies with ``record``, ``created`` and ``action`` (created or updated).

    ``where`` holds the values of a unique key; ``create`` what a new row has
    besides; ``update`` what changes in an existing one. One statement decides, so
    of many callers at once exactly one creates.
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
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Plan | None:
        """Return the row and the change."""
        self.refuse_unknown(parameters, owner)
        if any(name in arriving for name in _INPUTS):
            return None
        if "where" not in parameters:
            raise MissingFieldError(owner, "where", "the values of a unique key")
        where, create, update = (
            as_mapping(parameters.get(name) or {}, owner, name)
            for name in ("where", "create", "update")
        )
        conflict = conflict_fields(
            self.model, parameters.get("conflict_on") or list(where), owner
        )
        _check_where(self.model, where, conflict, owner)
        return Plan(
            values=new_values(self.model, {**update, **create, **where}, owner),
            conflict=conflict,
            changes=changed_values(self.model, update, owner),
        )

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Insert or update.

        Raises:
            ConstraintError: The row breaks a rule other than that of the key.
        """
        statements = table.upsert(plan.values, plan.conflict, plan.changes)
        try:
            results = await connection.run(statements)
        except DuplicateKeyError as error:
            if not await with_key_repair(connection, table, error, plan.values):
                raise
            results = await connection.run(statements)
        was_created = table.was_created(results)
        row = results[-1].rows[0]
        return {
            "record": table.decode(row[: len(self.model.fields)]),
            "created": was_created,
            "action": "created" if was_created else "updated",
        }


def _check_where(
    model: Model, where: Mapping[str, Any], conflict: Sequence[str], owner: str
) -> None:
    for name in conflict:
        value = where.get(name)
        if value is None:
            raise MissingFieldError(owner, f"where.{name}", "a value of the unique key")
        model.field(name, owner).check(value, owner)
    for name in where:
        if name not in conflict:
            expected = f"only the fields of the unique key ({', '.join(conflict)})"
            raise FieldValueError(owner, "where", repr(name), expected)
