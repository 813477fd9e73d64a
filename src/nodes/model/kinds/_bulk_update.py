"""Change many rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, final

import msgspec
from msgspec.structs import replace

from ....drivers import Connection, Driver
from ....errors import (
    ConfirmationRequiredError,
    FieldValueError,
    MissingFieldError,
    OutOfRangeError,
)
from ....messages import Operation
from ....sql import ALL, Arithmetic, Filter, Table, parse
from ..._node import Port
from ...limits import Pace
from .._model_node import Arriving
from ..bulk import (
    DEFAULT_ROWS,
    Acquire,
    BulkNode,
    Manner,
    RowReader,
    Rows,
    Source,
    Stream,
    lend,
    loader_of,
    report,
    report_ports,
    rows_of,
)
from ..parameters import (
    as_mapping,
    changed_values,
    flag,
    maybe_flag,
    read_change,
    read_version,
    whole_number,
)

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

    data: object
    reader: RowReader
    manner: Manner


@final
class BulkUpdateNode(BulkNode[ByFilter | ByRows]):
    """Changes rows by ``filter`` and ``update`` (``fields``), or by ``data`` with keys.

    By a filter all of them or none are changed, and a number may be computed:
    ``update={"stock": {"$inc": -1}, "price": {"$mul": 2}}``. It stays exact: where a
    result is out of range, or would have to be rounded, nothing is changed. A factor
    for an int is an int, a duration takes ``$inc`` only, NULL stays NULL, and
    ``{"$set": value}`` is the value.

    ``data`` may come from anywhere, and is stored in batches, as `BulkStoreNode` says
    of ``atomic`` and ``batch_size``. Of two rows with one key the last one wins.
    ``updated`` is the number of rows found; a row of ``data`` whose key is not there
    counts as skipped.
    """

    operation = Operation.BULK_UPDATE
    suffix = "BulkUpdateNode"

    def ports(self) -> list[Port]:
        """Return filter and change, or data."""
        return [
            Port("filter", dict | None),
            *(Port(name, dict) for name in _CHANGES),
            Port("data", Rows),
            Port("batch_size", int),
            Port("atomic", bool | None),
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
            parameters, "batch_size", owner, default=DEFAULT_ROWS, least=1
        )
        atomic = maybe_flag(parameters, "atomic", owner)
        is_confirmed = flag(parameters, "confirmed", owner, default=False)
        if "data" in parameters or "data" in (arriving or ()):
            manner = Manner("change", self.model.key, size, atomic=atomic)
            return self._by_rows(parameters, owner, manner, arriving)
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

    def _by_rows(
        self,
        parameters: dict[str, Any],
        owner: str,
        manner: Manner,
        arriving: Arriving,
    ) -> ByRows:
        for name in ("filter", *_CHANGES):
            if name in parameters:
                raise FieldValueError(owner, name, "both", "either data or a filter")
        data = parameters.get("data", ())
        rows = rows_of(data, self.model, owner)
        reader = RowReader(self.model, {}, self._checked, owner)
        if arriving is not None:
            reader.read_each(rows or ())
        return ByRows(data, reader, manner)

    def _checked(self, given: dict[str, Any], where: str) -> dict[str, Any]:
        """Return the values of one row: its key, and what changes."""
        for name in self.model.key:
            if name not in given:
                described = self.model.field(name).describe()
                raise MissingFieldError(where, name, described)
        version = self.model.version_field
        if {*self.model.identity, version}.issuperset(given):
            raise MissingFieldError(where, "fields", "at least one field to change")
        if version is None or version not in given:
            return changed_values(self.model, given, where)
        expected = read_version(given.pop(version), where, version)
        return {**changed_values(self.model, given, where), version: expected}

    async def work(
        self, driver: Driver, table: Table, plan: ByFilter | ByRows, pace: Pace
    ) -> dict[str, Any]:
        """Update the rows; `Stream.run` says what is raised for those of ``data``."""
        if isinstance(plan, ByFilter):
            return await super().work(driver, table, plan, pace)
        return await self._perform_by_rows(driver.acquire, table, plan, pace)

    async def perform(
        self, connection: Connection, table: Table, plan: ByFilter | ByRows
    ) -> dict[str, Any]:
        """Update the rows on one connection, all or none.

        Raises:
            ConstraintError: A changed row would break a rule; none was changed.
            OutOfRangeError: A computed value does not fit; none was changed.
        """
        if isinstance(plan, ByRows):
            whole = replace(plan, manner=replace(plan.manner, atomic=True))
            return await self._perform_by_rows(lend(connection), table, whole, Pace())
        try:
            (result,) = await connection.run((table.update(plan.where, plan.changes),))
        except OutOfRangeError as error:
            raise OutOfRangeError(error.message, error.code, plan.computed) from error
        n_rows = result.count
        return report(self.operation, processed=n_rows, updated=n_rows)

    async def _perform_by_rows(
        self, acquire: Acquire, table: Table, plan: ByRows, pace: Pace
    ) -> dict[str, Any]:
        loader = loader_of(table, plan.manner, plan.reader, None, pace)
        source = Source(plan.data, pace)
        stream = Stream(acquire, source, loader, self.name, pace)
        await stream.run()
        return report(
            self.operation,
            processed=stream.n_rows,
            batch_size=plan.manner.batch_size,
            updated=stream.tally.updated,
            skipped=stream.tally.skipped,
        )
