"""Delete many rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast, final

import msgspec

from ....drivers import Connection
from ....errors import ConfirmationRequiredError, FieldValueError
from ....messages import Operation
from ....sql import ALL, Filter, Table, parse
from ..._node import Port
from .._key import any_of, read_key
from .._model_node import Arriving, ModelNode
from .._options import came, flag
from .._report import DEFAULT_BATCH, report, report_ports

__all__ = ["BulkDeleteNode"]

_COMPOSITE_BATCH: Final = 200
"""Composite keys in one statement: each is a condition, and SQLite nests them.

Source: sqlite.org/limits.html, "Maximum Depth Of An Expression Tree" (1 000).
"""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Filters of the rows to delete, and how many keys they stand for."""

    where: tuple[Filter, ...]
    n_keys: int | None


@final
class BulkDeleteNode(ModelNode[Plan]):
    """Deletes rows by ``filter``, or by ``ids`` (keys).

    All of them or none are deleted. ``deleted`` is the number of rows that were
    there; a key that was not counts as skipped.
    """

    operation = Operation.BULK_DELETE
    suffix = "BulkDeleteNode"

    def ports(self) -> list[Port]:
        """Return filter or ids."""
        return [
            Port("filter", dict | None),
            Port("ids", list),
            Port("confirmed", bool),
        ]

    def results(self) -> list[Port]:
        """Return the counts."""
        return report_ports(Port("deleted", int))

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Plan:
        """Return which rows are meant.

        Raises:
            ConfirmationRequiredError: Every row would be deleted.
        """
        self.refuse_unknown(parameters, owner)
        is_confirmed = flag(parameters, "confirmed", owner, default=False)
        if "ids" in parameters:
            if "filter" in parameters:
                raise FieldValueError(owner, "filter", "both", "either ids or a filter")
            return self._by_ids(parameters["ids"], owner)
        where = parse(parameters.get("filter"), self.model)
        is_open = {"filter", "ids", "confirmed"}.intersection(arriving or ())
        if where is ALL and not is_confirmed and not is_open:
            raise ConfirmationRequiredError(owner)
        return Plan((where,), None)

    def _by_ids(self, ids: object, owner: str) -> Plan:
        if not isinstance(ids, list | tuple | set | frozenset):
            raise FieldValueError(owner, "ids", came(ids), "a list of keys")
        given = cast("Iterable[object]", ids)
        keys = [read_key(self.model, each, owner, "ids") for each in given]
        size = DEFAULT_BATCH if len(self.model.key) == 1 else _COMPOSITE_BATCH
        chunks = [keys[at : at + size] for at in range(0, len(keys), size)]
        return Plan(tuple(any_of(self.model, chunk) for chunk in chunks), len(keys))

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Delete the rows.

        Raises:
            ConstraintError: Other rows refer to them; none was deleted.
        """
        deleted = 0
        if plan.where:
            results = await connection.run([table.delete(part) for part in plan.where])
            deleted = sum(result.count for result in results)
        processed = deleted if plan.n_keys is None else plan.n_keys
        return report(
            self.operation,
            processed=processed,
            skipped=processed - deleted,
            deleted=deleted,
        )
