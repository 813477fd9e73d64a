"""Change many rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, final

import msgspec

from ....drivers import Connection
from ....errors import (
    ConfirmationRequiredError,
    FieldValueError,
    MissingFieldError,
    OutOfRangeError,
)
from ....messages import Operation
from ....sql import ALL, Arithmetic, Filter, Table, parse
from ..._node import Port
from .._change import read_change
from .._model_node import Arriving, ModelNode
from .._options import flag, whole_number
from .._report import DEFAULT_BATCH, report, report_ports
from .._rows import Row, batches, read_rows
from .._values import as_mapping, changed_values

__all__ = ["BulkUpdateNode"]

_CHANGES: Final = ("update", "fields", "updates")


class ByFilter(msgspec.Struct, frozen=True, eq=False):
    """The same change for every row a filter lets through."""

    where: Filter
    changes: dict[str, Any]

    @property
    def computed(self) -> tuple[str, ...]:
        """Names of the fields whose new value depends on the stored one."""
        return tuple(
            name
            for name, change in self.changes.items()
            if isinstance(change, Arithmetic)
        )


class ByRows(msgspec.Struct, frozen=True, eq=False):
    """A change of its own for each row, found by its key."""

    rows: list[Row]
    batch_size: int


@final
class BulkUpdateNode(ModelNode[ByFilter | ByRows]):
    """Changes rows by ``filter`` and ``update`` (``fields``), or by ``data`` with keys.

    By filter a number may be computed: ``update={"stock": {"$inc": -1}, "price":
    {"$mul": 2}}``. It stays exact: where a result is out of range, or would have to be
    rounded, nothing is changed. A factor for an int is an int, a duration takes
    ``$inc`` only, NULL stays NULL, and ``{"$set": value}`` is the value.

    All of them or none are changed. ``updated`` is the number of rows found; a row
    of ``data`` whose key is not there counts as skipped.
    """

    operation = Operation.BULK_UPDATE
    suffix = "BulkUpdateNode"

    def ports(self) -> list[Port]:
        """Return filter and change, or data."""
        return [
            Port("filter", dict | None),
            *(Port(name, dict) for name in _CHANGES),
            Port("data", list),
            Port("batch_size", int),
            Port("confirmed", bool),
        ]

    def results(self) -> list[Port]:
        """Return the counts."""
        return report_ports()

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> ByFilter | ByRows:
        """Return the change, by filter or by rows.

        Raises:
            ConfirmationRequiredError: Every row would change.
        """
        self.refuse_unknown(parameters, owner)
        size = whole_number(
            parameters, "batch_size", owner, default=DEFAULT_BATCH, least=1
        )
        is_confirmed = flag(parameters, "confirmed", owner, default=False)
        if "data" in parameters or "data" in (arriving or ()):
            return self._by_rows(parameters, owner, size)
        where = parse(parameters.get("filter"), self.model)
        changes = self._changes(parameters, owner, arriving or ())
        is_open = {"filter", "confirmed"}.intersection(arriving or ())
        if where is ALL and not is_confirmed and not is_open:
            raise ConfirmationRequiredError(owner)
        return ByFilter(where, changes)

    def _changes(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str]
    ) -> dict[str, Any]:
        """Return the one change for all rows."""
        names = [name for name in _CHANGES if name in parameters or name in arriving]
        if not names:
            raise MissingFieldError(owner, "update", "the new values by field")
        if len(names) > 1:
            expected = f"to be the only one of {', '.join(names)}"
            raise FieldValueError(owner, names[1], "a second change", expected)
        (name,) = names
        if name in arriving:
            return {}
        change = as_mapping(parameters[name], owner, name)
        if not change:
            raise FieldValueError(owner, name, "nothing", "at least one field")
        return read_change(self.model, change, owner)

    def _by_rows(self, parameters: dict[str, Any], owner: str, size: int) -> ByRows:
        for name in ("filter", *_CHANGES):
            if name in parameters:
                raise FieldValueError(owner, name, "both", "either data or a filter")
        data = parameters.get("data", ())
        rows, _ = read_rows(self.model, data, {}, self._checked, owner)
        return ByRows(rows, size)

    def _checked(self, given: dict[str, Any], where: str) -> dict[str, Any]:
        """Return the values of one row: its key, and what changes."""
        for name in self.model.key:
            if name not in given:
                described = self.model.field(name).describe()
                raise MissingFieldError(where, name, described)
        if len(given) == len(self.model.key):
            raise MissingFieldError(where, "fields", "at least one field to change")
        return changed_values(self.model, given, where)

    async def perform(
        self, connection: Connection, table: Table, plan: ByFilter | ByRows
    ) -> dict[str, Any]:
        """Update the rows.

        Raises:
            ConstraintError: A changed row would break a rule; none was changed.
            OutOfRangeError: A computed value does not fit; none was changed.
        """
        if isinstance(plan, ByRows):
            return await self._perform_by_rows(connection, table, plan)
        try:
            (result,) = await connection.run((table.update(plan.where, plan.changes),))
        except OutOfRangeError as error:
            raise OutOfRangeError(error.message, error.code, plan.computed) from error
        n_rows = result.count
        return report(self.operation, processed=n_rows, updated=n_rows)

    async def _perform_by_rows(
        self, connection: Connection, table: Table, plan: ByRows
    ) -> dict[str, Any]:
        updated = 0
        async with connection.transaction():
            for names, batch in batches(plan.rows, plan.batch_size):
                changed = [name for name in names if name not in self.model.key]
                rows = [row.values for row in batch]
                statement = table.update_many(rows, self.model.key, changed)
                (result,) = await connection.run((statement,))
                updated += len(result.rows)
        return report(
            self.operation,
            processed=len(plan.rows),
            batch_size=plan.batch_size,
            updated=updated,
            skipped=len(plan.rows) - updated,
        )
