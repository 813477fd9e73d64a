"""Storing rows one by one, in batches: the way that always works.

`loading` has the quick one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final, final

import msgspec
from msgspec.structs import replace

from ....drivers import Connection
from ....errors import ConstraintError, DuplicateKeyError
from ....sql import Table
from ..parameters import check_versions, key_value
from ._repair import insert_again
from ._rows import Failure, Row, batches
from ._tally import Tally

__all__ = ["DEFAULT_ROWS", "Manner", "Store"]

DEFAULT_ROWS: Final = 10_000
"""Rows that are stored together when nothing is said.

Each COPY, with its commit, costs about as much as 400 rows: in batches of 1 000 a bulk
create takes 1.5 times as long as in one piece, in batches of 10 000 1.1 times. Larger
ones gain little, and hold more in memory.
"""

_CHANGES: Final = ("update", "upsert")


class Manner(msgspec.Struct, frozen=True, eq=False):
    """How rows are stored.

    Attributes:
        on_conflict: What becomes of a row that exists: ``error``, ``skip``, or
            ``update`` (``upsert``); ``change`` if only such rows are changed.
        conflict: The fields that tell whether it does.
        batch_size: Rows that are stored together, at most.
        return_ids: Whether the keys of the stored rows are wanted.
        keep_going: Whether rows are stored although others cannot be.
        atomic: Whether all rows are stored or none, in one transaction; None if
            that is so for one batch, and more commit one by one.
        max_errors: Rows that may fail before the work is given up; None for any.
    """

    on_conflict: str
    conflict: tuple[str, ...]
    batch_size: int
    return_ids: bool = False
    keep_going: bool = False
    atomic: bool | None = None
    max_errors: int | None = None

    @property
    def changes(self) -> bool:
        """Whether rows that are there may change."""
        return self.on_conflict in _CHANGES

    def tells(self, names: Collection[str]) -> bool:
        """Whether rows with *names* may meet others that are there.

        A row without the conflict's key cannot meet another one.
        """
        return self.on_conflict != "error" and {*names}.issuperset(self.conflict)


@final
class Store:
    """Stores rows, and keeps count.

    Args:
        connection: Where.
        table: Into which table.
        manner: How.

    Attributes:
        tally: What became of the rows.
        failures: Rows that could not be stored.
    """

    def __init__(self, connection: Connection, table: Table, manner: Manner) -> None:
        self._connection = connection
        self._table = table
        self._manner = manner
        self.tally = Tally()
        self.failures: list[Failure] = []

    async def take(self, rows: Sequence[Row]) -> None:
        """Store *rows* in one transaction.

        Raises:
            ConstraintError: A row breaks a rule of the table; nothing is stored.
                Not if the manner is to keep going.
        """
        if not rows:
            return
        async with self._connection.transaction():
            for names, batch in batches(rows, self._manner.batch_size):
                if self._manner.keep_going:
                    await self._salvage(names, batch)
                else:
                    self.tally += await self._store(names, batch)

    async def _salvage(self, names: tuple[str, ...], batch: list[Row]) -> None:
        """Store what can be stored: halve a batch until only bad rows are left."""
        try:
            async with self._connection.transaction():
                tally = await self._store(names, batch)
        except ConstraintError as error:
            if len(batch) == 1:
                self.failures.append(Failure(batch[0].index, error))
                return
            middle = len(batch) // 2
            await self._salvage(names, batch[:middle])
            await self._salvage(names, batch[middle:])
        else:
            self.tally += tally

    async def _store(self, names: tuple[str, ...], batch: Sequence[Row]) -> Tally:
        """Store one batch, once more if the generated keys had fallen behind."""
        table = self._table
        if table.model.generated_key in (None, *names) or table.repair_key() is None:
            return await self._run(names, batch)
        attempt = partial(self._attempt, names, batch)
        try:
            return await attempt()
        except DuplicateKeyError as error:
            return await insert_again(self._connection, table, error, names, attempt)

    async def _attempt(self, names: tuple[str, ...], batch: Sequence[Row]) -> Tally:
        async with self._connection.transaction():
            return await self._run(names, batch)

    async def _run(self, names: tuple[str, ...], batch: Sequence[Row]) -> Tally:
        rows = [{name: row.values[name] for name in names} for row in batch]
        if self._manner.on_conflict == "change":
            return await self._change(names, rows)
        if not self._manner.tells(names):
            return await self._insert(names, rows, None)
        if self._manner.changes:
            return await self._upsert(names, rows, batch[0].given)
        return await self._insert(names, rows, self._manner.conflict)

    async def _insert(
        self,
        names: tuple[str, ...],
        rows: list[dict[str, Any]],
        conflict: tuple[str, ...] | None,
    ) -> Tally:
        """Insert rows; skip those that agree with a stored one in *conflict*."""
        returning = self._manner.return_ids or conflict is not None
        statement = self._table.insert_many(
            names, rows, conflict=conflict, returning=returning
        )
        (result,) = await self._connection.run((statement,))
        inserted = result.count
        tally = Tally(inserted=inserted, skipped=len(rows) - inserted)
        if self._manner.return_ids:
            tally.ids = [key_value(self._table, row) for row in result.rows]
        return tally

    async def _change(
        self, names: tuple[str, ...], rows: list[dict[str, Any]]
    ) -> Tally:
        """Change the rows that are there."""
        model = self._table.model
        key, version = model.key, model.version_field
        is_checked = version is not None and version in names
        if is_checked:
            key = (*key, str(version))
        changed = [name for name in names if name not in key]
        statement = self._table.update_many(rows, key, changed)
        (result,) = await self._connection.run((statement,))
        n_found = len(result.rows)
        if is_checked and n_found < len(rows):
            await check_versions(self._connection, self._table, rows, result.rows)
        return Tally(updated=n_found, skipped=len(rows) - n_found)

    async def _upsert(
        self,
        names: tuple[str, ...],
        rows: list[dict[str, Any]],
        given: tuple[str, ...],
    ) -> Tally:
        """Insert rows, or change those that agree with a stored one."""
        conflict, table = self._manner.conflict, self._table
        # A default is for new rows; it must not overwrite what is stored.
        changed = [name for name in given if name in names and name not in conflict]
        stamp = table.model.updated_field
        if stamp is not None and stamp not in changed:
            changed.append(stamp)
        statements = table.upsert_many(names, rows, conflict, changed)
        inserted = table.count_created(await self._connection.run(statements))
        tally = Tally(inserted=inserted, updated=len(rows) - inserted)
        if self._manner.return_ids:
            tally.ids = await self._ids(rows)
        return tally

    async def _ids(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the keys of rows that were upserted, in their order."""
        conflict, table = self._manner.conflict, self._table
        each = [
            table.read_key(conflict, {name: row[name] for name in conflict})
            for row in rows
        ]
        parameters = [statement.parameters for statement in each]
        statement = replace(each[0], parameters=parameters, many=True)
        (result,) = await self._connection.run((statement,))
        return [key_value(table, row) for row in result.rows]
