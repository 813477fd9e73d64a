"""What the bulk nodes that store rows have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ....drivers import Connection, Driver
from ....errors import FieldValueError, MissingFieldError
from ....sql import Table
from ..._node import Port
from ...limits import Pace
from .._model_node import Arriving, field_port
from ..parameters import (
    choice,
    conflict_fields,
    flag,
    maybe_flag,
    new_values,
    whole_number,
)
from ._node import BulkNode
from ._report import report, report_ports
from ._rows import RowReader
from ._source import Rows, Source, rows_of
from ._store import DEFAULT_ROWS, Manner
from ._stream import Acquire, Stream, lend
from .loading import loader_of

__all__ = ["BulkStoreNode", "StorePlan"]


class StorePlan(msgspec.Struct, frozen=True, eq=False):
    """Where rows come from, what goes into each of them, and how they are stored.

    Attributes:
        data: What rows come from; not read yet.
        everywhere: Checked values that go into every row.
        reader: Checks a row.
        manner: How they are stored.
    """

    data: object
    everywhere: Mapping[str, Any]
    reader: RowReader
    manner: Manner


class BulkStoreNode(BulkNode[StorePlan]):
    """Stores many rows; what it does with those that exist, a subclass says.

    ``data`` is a list, an iterable, an asynchronous iterable, or Arrow data; it is
    read as fast as it is stored. What fits into one batch is stored all or not at all;
    of more, each batch commits by itself, in the order of the data, unless ``atomic``
    says otherwise: True puts all into one transaction, False is for batch by batch.

    A row that cannot be stored ends it (``error_strategy="stop"``, the default), or is
    left out (``"continue"``): then the result lists such rows under ``errors`` with
    their index and reason, and ``max_errors`` says how many there may be.
    ``return_ids=True`` adds ``ids``, the keys of the rows that were inserted or
    changed, in the order of the data.
    """

    def ports(self) -> list[Port]:
        """Return data, the ways to store it, and the fields for every row."""
        fields = [field_port(each) for each in self.model.fields]
        own = [
            Port("data", Rows, is_required=True),
            Port("batch_size", int),
            Port("conflict_resolution", str),
            Port("key_fields", list | tuple | str | None),
            Port("conflict_on", list | tuple | str | None),
            Port("return_ids", bool),
            Port("error_strategy", str),
            Port("max_errors", int | None),
            Port("atomic", bool | None),
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
        """Check all but the rows; these too if they are a list and only looked at."""
        self.refuse_unknown(parameters, owner)
        manner = self._manner(parameters, owner)
        data = parameters.pop("data", () if "data" in (arriving or ()) else None)
        rows = rows_of(data, self.model, owner)

        def check(values: dict[str, Any], where: str) -> dict[str, Any]:
            checked = new_values(self.model, values, where, arriving)
            if manner.on_conflict != "error":
                self._require(manner.conflict, checked, where, arriving)
            return checked

        reader = RowReader(self.model, parameters, check, owner)
        everywhere = self._everywhere(parameters, owner)
        if arriving is not None:
            reader.read_each(rows or (), keep_going=manner.keep_going)
        return StorePlan(data, everywhere, reader, manner)

    def _everywhere(self, given: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """Return the values for every row, checked.

        A generated key of None asks for new ones, as leaving it out does.
        """
        return {
            name: self.model.field(name, owner).check(value, owner)
            for name, value in given.items()
            if value is not None or name != self.model.generated_key
        }

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
        manner = Manner(
            on_conflict=choice(
                parameters, "conflict_resolution", owner, self.resolutions()
            ),
            conflict=conflict_fields(self.model, fields, owner, name),
            batch_size=whole_number(
                parameters, "batch_size", owner, default=DEFAULT_ROWS, least=1
            ),
            return_ids=flag(parameters, "return_ids", owner, default=False),
            keep_going=strategy == "continue",
            atomic=maybe_flag(parameters, "atomic", owner),
            max_errors=self._max_errors(parameters, owner),
        )
        self._check_key(manner, owner)
        return manner

    def _check_key(self, manner: Manner, owner: str) -> None:
        """Refuse what asks for keys where there are none."""
        if self.model.key:
            return
        if manner.return_ids:
            expected = f"False: {self.model.name} has no key"
            raise FieldValueError(owner, "return_ids", "True", expected)
        if manner.on_conflict != "error":
            expected = f"error: {self.model.name} has no key to tell rows by"
            came = repr(manner.on_conflict)
            raise FieldValueError(owner, "conflict_resolution", came, expected)

    def _max_errors(self, parameters: dict[str, Any], owner: str) -> int | None:
        if parameters.get("max_errors", ...) is None:
            del parameters["max_errors"]
        if "max_errors" not in parameters:
            return None
        return whole_number(parameters, "max_errors", owner, default=0, least=0)

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

    async def work(
        self, driver: Driver, table: Table, plan: StorePlan, pace: Pace
    ) -> dict[str, Any]:
        """Store the rows; `Stream.run` says what is raised, and what stays."""
        return await self._store(driver.acquire, table, plan, pace)

    async def perform(
        self, connection: Connection, table: Table, plan: StorePlan
    ) -> dict[str, Any]:
        """Store the rows on one connection, all or nothing.

        Raises:
            ConstraintError: A row breaks a rule of the table; none was stored
                (not with ``error_strategy="continue"``).
        """
        whole = replace(plan, manner=replace(plan.manner, atomic=True))
        return await self._store(lend(connection), table, whole, Pace())

    async def _store(
        self, acquire: Acquire, table: Table, plan: StorePlan, pace: Pace
    ) -> dict[str, Any]:
        manner = plan.manner
        loader = loader_of(table, manner, plan.reader, plan.everywhere, pace)
        source = Source(plan.data, pace)
        stream = Stream(acquire, source, loader, self.name, pace)
        await stream.run()
        tally = stream.tally
        result = report(
            self.operation,
            processed=stream.n_rows,
            batch_size=manner.batch_size,
            failures=stream.failures,
            inserted=tally.inserted,
            updated=tally.updated,
            skipped=tally.skipped,
        )
        if manner.return_ids:
            result["ids"] = tally.ids
        return result
