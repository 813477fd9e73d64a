"""What the bulk nodes that store rows have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import msgspec

from ...drivers import Connection
from ...errors import MissingFieldError
from ...sql import Table
from .._node import Port
from ._conflict import conflict_fields
from ._model_node import Arriving, ModelNode, field_port
from ._options import choice, flag, whole_number
from ._report import DEFAULT_BATCH, report, report_ports
from ._rows import Failure, Row, read_rows
from ._store import Manner, Store
from ._values import new_values

__all__ = ["BulkStoreNode", "StorePlan"]


class StorePlan(msgspec.Struct, frozen=True, eq=False):
    """Checked rows, those that cannot be stored, and how to store the others."""

    rows: list[Row]
    failures: list[Failure]
    manner: Manner


class BulkStoreNode(ModelNode[StorePlan]):
    """Stores many rows; what it does with those that exist, a subclass says.

    All rows or none are stored (``error_strategy="stop"``, the default), or
    every one that can be (``"continue"``): then the result lists the others under
    ``errors`` with their index and reason. Rows are stored in their order, in one
    transaction. ``return_ids=True`` adds ``ids``, the keys of the rows that were
    inserted or changed, in the order of the data.
    """

    def ports(self) -> list[Port]:
        """Return data, the ways to store it, and the fields for every row."""
        fields = [field_port(each) for each in self.model.fields]
        own = [
            Port("data", list, is_required=True),
            Port("batch_size", int),
            Port("conflict_resolution", str),
            Port("key_fields", list | tuple | str | None),
            Port("conflict_on", list | tuple | str | None),
            Port("return_ids", bool),
            Port("error_strategy", str),
        ]
        names = {port.name for port in own}
        return [*own, *(each for each in fields if each.name not in names)]

    def results(self) -> list[Port]:
        """Return the counts."""
        return report_ports(Port("ids", list), Port("errors", list))

    @abstractmethod
    def resolutions(self) -> tuple[str, ...]:
        """Return the values of ``conflict_resolution``, the default first."""

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> StorePlan:
        """Check every row and return them with the way to store them."""
        self.refuse_unknown(parameters, owner)
        manner = self._manner(parameters, owner)
        data = parameters.pop("data", () if "data" in (arriving or ()) else None)

        def check(values: dict[str, Any], where: str) -> dict[str, Any]:
            checked = new_values(self.model, values, where, arriving)
            if manner.on_conflict != "error":
                self._require(manner.conflict, checked, where, arriving)
            return checked

        rows, failures = read_rows(
            self.model, data, parameters, check, owner, keep_going=manner.keep_going
        )
        return StorePlan(rows, failures, manner)

    def _manner(self, parameters: dict[str, Any], owner: str) -> Manner:
        """Take what says how to store the rows."""
        given = [
            (name, value)
            for name in ("key_fields", "conflict_on")
            if (value := parameters.pop(name, None)) is not None
        ]
        name, fields = given[0] if given else ("key_fields", None)
        strategies = ("stop", "continue")
        strategy = choice(parameters, "error_strategy", owner, strategies)
        return Manner(
            on_conflict=choice(
                parameters, "conflict_resolution", owner, self.resolutions()
            ),
            conflict=conflict_fields(self.model, fields, owner, name),
            batch_size=whole_number(
                parameters, "batch_size", owner, default=DEFAULT_BATCH, least=1
            ),
            return_ids=flag(parameters, "return_ids", owner, default=False),
            keep_going=strategy == "continue",
        )

    def _require(
        self,
        conflict: tuple[str, ...],
        values: dict[str, Any],
        where: str,
        arriving: Arriving,
    ) -> None:
        """Check that a row says what tells whether it is there already.

        A generated key may be absent: then the row is new. None is no answer, for
        in SQL it equals nothing.
        """
        for name in conflict:
            field = self.model.field(name)
            # While it is only checked, defaults are not made.
            comes = arriving is not None and (field.has_default or name in arriving)
            if values.get(name) is None and not (field.is_generated or comes):
                raise MissingFieldError(where, name, field.type.describe())

    async def perform(
        self, connection: Connection, table: Table, plan: StorePlan
    ) -> dict[str, Any]:
        """Store the rows.

        Raises:
            ConstraintError: A row breaks a rule of the table; none was stored
                (not with ``error_strategy="continue"``).
        """
        store = Store(connection, table, plan.manner)
        await store.take(plan.rows)
        result = report(
            self.operation,
            processed=len(plan.rows) + len(plan.failures),
            batch_size=plan.manner.batch_size,
            failures=plan.failures + store.failures,
            inserted=store.tally.inserted,
            updated=store.tally.updated,
            skipped=store.tally.skipped,
        )
        if plan.manner.return_ids:
            result["ids"] = store.tally.ids
        return result
