"""Change one row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final, final

from ....drivers import Connection
from ....errors import FieldValueError, MissingFieldError
from ....messages import Operation
from ....models import Model
from ....sql import Result, Statement, Table
from ..._node import Port
from .._model_node import Arriving, field_port
from .._target import target_ports
from .._target_node import TargetNode, TargetPlan
from ..guards import Attempt
from ..parameters import as_mapping, changed_values, version_ports

__all__ = ["UpdateNode"]

_NESTED: Final = ("fields", "update", "updates")


class Plan(TargetPlan, frozen=True, eq=False, kw_only=True):
    """Which row, whether it must be there, and what changes."""

    changes: dict[str, Any]


@final
class UpdateNode(TargetNode[Plan]):
    """Changes one row and replies with every column of it, and ``updated``.

    The new values stand flat beside the key, or in ``fields`` (``update``); to
    change a key itself, use ``fields``. A row that is not there gives
    ``updated: False``, and so does a ``fields`` without any.
    """

    operation = Operation.UPDATE
    suffix = "UpdateNode"
    outcome = "updated"
    is_strict = False

    def ports(self) -> list[Port]:
        """Return what names the row, the fields, and ``raise_on_not_found``."""
        named = target_ports(self.model)
        taken = {port.name for port in named}
        fields = [
            field_port(each) for each in self.model.fields if each.name not in taken
        ]
        nested = [Port(name, dict) for name in _nested(self.model)]
        versions = version_ports(self.model)
        strict = Port("raise_on_not_found", bool)
        return [*named, *fields, *nested, *versions, strict]

    def results(self) -> list[Port]:
        """Return the columns and ``updated``."""
        columns = [field_port(each) for each in self.model.fields]
        return [*columns, Port("updated", bool)]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return which row is meant and what changes."""
        self.refuse_unknown(parameters, owner)
        must_exist = self._must_exist(parameters, owner)
        expected = self._expected(parameters, owner)
        target = self._target(parameters, owner, arriving)
        was_nested = not parameters.keys().isdisjoint(_nested(self.model))
        changes = changed_values(self.model, self._given(parameters, owner), owner)
        if not (changes or was_nested or arriving):
            raise MissingFieldError(owner, "fields", "at least one field to change")
        return Plan(target, must_exist, expected, changes=changes)

    def _given(self, parameters: dict[str, Any], owner: str) -> dict[str, Any]:
        """Return the new values, wherever they stand."""
        nested = [name for name in _nested(self.model) if name in parameters]
        given = {name: parameters[name] for name in parameters if name not in nested}
        for name in nested:
            for field, value in as_mapping(parameters[name], owner, name).items():
                if field in given:
                    raise FieldValueError(owner, field, "two values", "one")
                given[field] = value
        return given

    def statements(self, table: Table, plan: Plan) -> Sequence[Statement]:
        """Update the row; without changes, look whether it is there."""
        target, changes = plan.target, plan.changes
        where = target.where if plan.expected is None else plan.where
        if not changes:
            return (table.select(where, limit=2),)
        if target.key is not None and plan.expected is None:
            return (table.update_key(target.key, changes),)
        return (table.update(where, changes, returning=True),)

    def reply(
        self, table: Table, plan: Plan, results: Sequence[Result]
    ) -> dict[str, Any]:
        """Return the row as it is stored now, and ``updated``."""
        rows = results[0].rows
        if not rows:
            return self._absent(plan)
        return {**table.decode(rows[0]), "updated": bool(plan.changes)}

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Update the row.

        Raises:
            AmbiguousFilterError: The filter matches several rows; none changed.
            RecordNotFoundError: It is not there and ``raise_on_not_found`` is true.
            ConstraintError: The changed row would break a rule of the table.
        """
        return await self._perform_on_one(connection, table, plan, "BulkUpdateNode")

    def attempt(self, plan: Plan) -> Attempt:
        """Return which row was to change, and how."""
        return Attempt(self.model, self.operation, plan.changes, plan.target.where)

    # -- several plans --------------------------------------------------------------

    def shape(self, table: Table, plan: Plan) -> Hashable | None:
        """Let changes of the same columns share a statement, unless of the key."""
        names = tuple(plan.changes)
        if plan.expected is not None:
            return None
        if plan.target.key is None or not set(names).isdisjoint(self.model.key):
            return None
        return names if table.arrays.holds(names) or not table.merges else None

    def identity(self, table: Table, plan: Plan) -> Hashable | None:
        """Let no statement change a row twice."""
        key = plan.target.key
        return None if key is None else _folded(table.arrays.encode_key(key))

    def merge(self, table: Table, plans: Sequence[Plan]) -> Statement:
        """Update the rows of all keys."""
        arrays = table.arrays
        in_order = sorted(
            plans, key=lambda plan: arrays.encode_key(plan.target.key or {})
        )
        keys = [plan.target.key or {} for plan in in_order]
        changes = [plan.changes for plan in in_order]
        return arrays.update(tuple(changes[0]), keys, changes)


def _folded(key: Sequence[Any]) -> Hashable:
    """Return what keys have in common that a column may take for the same.

    One of type ``citext`` or ``char(n)`` in a table that others made does.
    """
    return tuple(
        value.casefold().strip() if isinstance(value, str) else value for value in key
    )


def _nested(model: Model) -> list[str]:
    """Return the parameters that hold new values, leaving out real fields."""
    return [name for name in _NESTED if name not in model.names]
