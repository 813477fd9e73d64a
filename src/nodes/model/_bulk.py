"""What the bulk nodes that store rows have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from ..drivers import Connection
from ..errors import ConstraintError, DuplicateKeyError, MissingFieldError
from ..sql import RowCodec, Table
from ._conflict import conflict_fields
from ._model_node import ModelNode, field_port
from ._node import Port
from ._options import choice, flag, whole_number
from ._repair import with_key_repair
from ._rows import Failure, Row, batches, read_rows, report
from ._values import new_values

__all__ = ["BulkStoreNode", "StorePlan"]

DEFAULT_BATCH = 1_000
"""Rows a statement carries when nothing is said."""


class StorePlan(msgspec.Struct, frozen=True, eq=False):
    """Checked rows and how to store them."""

    rows: list[Row]
    failures: list[Failure]
    on_conflict: str
    conflict: tuple[str, ...]
    batch_size: int
    return_ids: bool
    keep_going: bool


class Tally:
    """What became of the rows so far."""

    def __init__(self) -> None:
        self.inserted = 0
        self.updated = 0
        self.skipped = 0
        self.ids: list[Any] = []

    def add(self, other: Tally) -> None:
        """Count what another one counted too."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.skipped += other.skipped
        self.ids += other.ids


class BulkStoreNode(ModelNode):
    """Stores many rows; what it does with those that exist, a subclass says.

    All rows or none are stored (``error_strategy="stop"``, the default), or
    every one that can be (``"continue"``): then the result lists the others under
    ``errors`` with their index and reason. Rows are stored in their order.
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
        counts = ("processed", "inserted", "updated", "deleted", "skipped", "failed")
        return [
            *(Port(name, int) for name in (*counts, "batch_size")),
            Port("operation", str),
            Port("success", bool),
            Port("ids", list),
            Port("errors", list),
        ]

    @abstractmethod
    def resolutions(self) -> tuple[str, ...]:
        """Return the values of ``conflict_resolution``, the default first."""

    def plan(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> StorePlan:
        """Check every row and return them with the way to store them."""
        on_conflict = choice(
            parameters, "conflict_resolution", owner, self.resolutions()
        )
        keep_going = (
            choice(parameters, "error_strategy", owner, ("stop", "continue"))
            == "continue"
        )
        given_key = parameters.pop("key_fields", None)
        other_key = parameters.pop("conflict_on", None)
        conflict = conflict_fields(self.model, given_key or other_key, owner)
        size = whole_number(
            parameters, "batch_size", owner, default=DEFAULT_BATCH, least=1
        )
        return_ids = flag(parameters, "return_ids", owner, default=False)
        data = parameters.pop("data", () if "data" in arriving else None)
        later = frozenset(arriving) & set(self.model.names)

        def check(values: dict[str, Any], where: str) -> dict[str, Any]:
            return self._checked(values, where, on_conflict, conflict, later)

        rows, failures = read_rows(
            self.model, data, parameters, check, owner, keep_going=keep_going
        )
        return StorePlan(
            rows, failures, on_conflict, conflict, size, return_ids, keep_going
        )

    def _checked(
        self,
        given: dict[str, Any],
        where: str,
        on_conflict: str,
        conflict: tuple[str, ...],
        later: frozenset[str],
    ) -> dict[str, Any]:
        values = new_values(self.model, given, where, later)
        if on_conflict == "error":
            return values
        generated = self.model.generated_key
        for name in conflict:
            if name not in values and name != generated and name not in later:
                field = self.model.field(name)
                raise MissingFieldError(where, name, field.describe())
        return values

    async def perform(
        self, connection: Connection, table: Table, plan: StorePlan
    ) -> dict[str, Any]:
        """Store the rows.

        Raises:
            ConstraintError: A row breaks a rule of the table; none was stored
                (not with ``error_strategy="continue"``).
        """
        failures = list(plan.failures)
        tally = Tally()
        groups = batches(plan.rows, plan.batch_size)
        if plan.keep_going:
            for names, batch in groups:
                await self._salvage(
                    connection, table, plan, names, batch, tally, failures
                )
        else:
            async with connection.transaction():
                for names, batch in groups:
                    tally.add(await self._store(connection, table, plan, names, batch))
        result = report(
            self.operation.value,
            plan.batch_size,
            failures,
            processed=len(plan.rows) + len(plan.failures),
            inserted=tally.inserted,
            updated=tally.updated,
            skipped=tally.skipped,
        )
        if plan.return_ids:
            result["ids"] = tally.ids
        return result

    async def _salvage(
        self,
        connection: Connection,
        table: Table,
        plan: StorePlan,
        names: tuple[str, ...],
        batch: list[Row],
        tally: Tally,
        failures: list[Failure],
    ) -> None:
        """Store what can be stored: halve a batch until only bad rows are left."""
        try:
            async with connection.transaction():
                stored = await self._store(connection, table, plan, names, batch)
            tally.add(stored)
        except ConstraintError as error:
            if len(batch) == 1:
                failures.append(Failure(batch[0].index, error))
                return
            middle = len(batch) // 2
            for half in (batch[:middle], batch[middle:]):
                await self._salvage(
                    connection, table, plan, names, half, tally, failures
                )

    async def _store(
        self,
        connection: Connection,
        table: Table,
        plan: StorePlan,
        names: tuple[str, ...],
        batch: Sequence[Row],
    ) -> Tally:
        """Store one batch, once more if the generated keys had fallen behind."""
        try:
            async with connection.transaction():
                return await self._run(connection, table, plan, names, batch)
        except DuplicateKeyError as error:
            if not await with_key_repair(connection, table, error, names):
                raise
            return await self._run(connection, table, plan, names, batch)

    async def _run(
        self,
        connection: Connection,
        table: Table,
        plan: StorePlan,
        names: tuple[str, ...],
        batch: Sequence[Row],
    ) -> Tally:
        rows = [{name: row.values[name] for name in names} for row in batch]
        tally = Tally()
        # A row without the conflict's key cannot meet another one.
        can_meet = all(name in names for name in plan.conflict)
        if plan.on_conflict in {"upsert", "update"} and can_meet:
            # A default is for new rows; it must not overwrite what is stored.
            changed = [name for name in batch[0].given if name not in plan.conflict]
            stamp = table.model.updated_field
            if stamp is not None and stamp not in changed:
                changed.append(stamp)
            statements = table.upsert_many(names, rows, plan.conflict, changed)
            results = await connection.run(statements)
            tally.inserted = table.count_created(results)
            tally.updated = len(rows) - tally.inserted
            if plan.return_ids:
                tally.ids = await self._ids(connection, table, plan, rows)
            return tally
        conflict = plan.conflict if plan.on_conflict == "skip" and can_meet else None
        returning = plan.return_ids or conflict is not None
        statement = table.insert_many(
            names, rows, conflict=conflict, returning=returning
        )
        (result,) = await connection.run((statement,))
        tally.inserted = len(result.rows) if returning else len(rows)
        tally.skipped = len(rows) - tally.inserted
        if plan.return_ids:
            tally.ids = [_key(table.decoder(table.model.key), row) for row in result.rows]
        return tally

    async def _ids(
        self,
        connection: Connection,
        table: Table,
        plan: StorePlan,
        rows: Sequence[dict[str, Any]],
    ) -> list[Any]:
        """Return the keys of the rows that were upserted, in their order."""
        statements = [
            table.read_key(plan.conflict, {name: row[name] for name in plan.conflict})
            for row in rows
        ]
        decoder = table.decoder(table.model.key)
        results = await connection.run(statements)
        return [_key(decoder, result.rows[0]) for result in results]


def _key(decoder: RowCodec, row: Sequence[Any]) -> Any:
    """Return the key of a row: its value, or a mapping when it is composite."""
    key = decoder.decode(row)
    return next(iter(key.values())) if len(key) == 1 else key
