"""Delete many rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, final

import msgspec

from ...drivers import Connection
from ...errors import ConfirmationRequiredError, FieldValueError
from ...messages import Operation
from ...sql import ALL, NOTHING, Filter, OneOf, Or, Table, parse
from .._key import key_filter, read_key
from .._model_node import ModelNode
from .._node import Port
from .._options import flag
from .._rows import report

__all__ = ["BulkDeleteNode"]

_CHUNK = 1_000
"""Keys one statement looks for; composite keys take a parameter per field."""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """Filters of the rows to delete, and how many keys they stand for."""

    where: tuple[Filter, ...]
    n_keys: int | None


@final
class BulkDeleteNode(ModelNode):
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
        counts = ("processed", "inserted", "updated", "deleted", "skipped", "failed")
        return [
            *(Port(name, int) for name in (*counts, "batch_size")),
            Port("operation", str),
            Port("success", bool),
        ]

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Plan:
        """Return which rows are meant.

        Raises:
            ConfirmationRequiredError: Every row would be deleted.
        """
        self.refuse_unknown(parameters, owner)
        is_confirmed = flag(parameters, "confirmed", owner, default=False)
        if "ids" in parameters:
            if parameters.get("filter"):
                raise FieldValueError(owner, "filter", "both", "either ids or a filter")
            return self._by_ids(parameters["ids"], owner)
        where = parse(parameters.get("filter"), self.model)
        is_open = {"filter", "ids", "confirmed"} & set(arriving)
        if where is ALL and not is_confirmed and not is_open:
            raise ConfirmationRequiredError(owner)
        return Plan((where,), None)

    def _by_ids(self, ids: object, owner: str) -> Plan:
        if not isinstance(ids, list | tuple | set | frozenset):
            raise FieldValueError(owner, "ids", type(ids).__name__, "a list of keys")
        keys = [read_key(self.model, each, owner, "ids") for each in ids]
        chunks = [keys[at : at + _CHUNK] for at in range(0, len(keys), _CHUNK)]
        where = tuple(self._any_of(chunk) for chunk in chunks)
        return Plan(where or (NOTHING,), len(keys))

    def _any_of(self, keys: list[dict[str, Any]]) -> Filter:
        if len(self.model.key) > 1:
            return Or(tuple(key_filter(self.model, key) for key in keys))
        name = self.model.key[0]
        return OneOf(self.model.field(name), tuple(key[name] for key in keys))

    async def perform(
        self, connection: Connection, table: Table, plan: Plan
    ) -> dict[str, Any]:
        """Delete the rows.

        Raises:
            ConstraintError: Other rows refer to them; none was deleted.
        """
        results = await connection.run([table.delete(part) for part in plan.where])
        deleted = sum(result.count for result in results)
        processed = deleted if plan.n_keys is None else plan.n_keys
        return report(
            self.operation.value, _CHUNK, [],
            processed=processed, deleted=deleted, skipped=processed - deleted,
        )
