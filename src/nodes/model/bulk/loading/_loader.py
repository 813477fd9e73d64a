"""Storing batches the quick way: packed on our side, loaded by few statements.

Where that is impossible or does not pay, a batch goes to `Store`, row by row. Both
ways give the same rows, counts and errors.

A load is all or nothing: where it fails, other ways may be tried. Inside a longer
transaction that takes a savepoint.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, TypeVar, cast

from msgspec.structs import replace

from .....drivers import Connection
from .....errors import ConstraintError, DriverError, DuplicateKeyError, ParameterError
from .....sql import (
    FEED_STRIDE,
    Check,
    Checked,
    Load,
    Packed,
    Packing,
    Result,
    Table,
    packer_of,
)
from ....limits import Pace
from ...parameters import key_value
from .._repair import insert_again
from .._rows import Failure, Row, RowReader
from .._store import Manner, Store
from .._tally import Tally
from ._batch import Batch
from ._fed_rows import FedRows

__all__ = ["FEW", "GoSlowly", "Loader"]

T = TypeVar("T")

FEW: Final = 32
"""Rows in a batch while others call.

Few enough that PostgreSQL gets them in one piece, and SQLite without a hop to a thread.
Beside a tenant that called once in a millisecond, its reads on PostgreSQL took 1.2 times
as long as with no flood (99th of 100); 2.2 times beside batches of 128 rows, 6 times
beside 1 000 and 25 times beside 10 000.
"""

_MEETS_ITSELF: Final = "21000"
"""Two rows of one statement agree in a key by the rules of the database alone.

Source: PostgreSQL, Appendix A, `cardinality_violation`.
"""


class Loader(ABC):
    """Stores batches.

    Args:
        table: Into which table.
        manner: How.
        reader: Checks what is unusual.
        everywhere: Checked values that go into every row; None for changes.
        pace: At which batches are packed.
    """

    def __init__(
        self,
        table: Table,
        manner: Manner,
        reader: RowReader,
        everywhere: Mapping[str, Any] | None,
        pace: Pace,
    ) -> None:
        fixed = table.fixed
        self._pace = pace
        self.table = table
        # What tells whether a row is there holds for the tenant of the table.
        self.manner = replace(manner, conflict=(*manner.conflict, *fixed))
        self._reader = reader
        self._is_new = everywhere is not None
        self._everywhere = {**(everywhere or {}), **fixed}
        self._packing: Packing | None = None

    # -- what a database says ---------------------------------------------------

    @property
    @abstractmethod
    def is_known(self) -> bool:
        """Whether it was found out how the table may be loaded."""

    @abstractmethod
    async def survey(self, connection: Connection, n_rows: int) -> None:
        """Find out how the table may be loaded, for batches of *n_rows* at most."""

    @property
    def _reserves(self) -> bool:
        """Whether generated keys are taken before the rows are packed."""
        return False

    async def _reserve(self, connection: Connection, count: int) -> Sequence[int]:
        """Take *count* generated keys, if they are to be taken."""
        return ()

    def _feeds(self, batch: Batch) -> bool:
        """Whether a batch is packed while the database reads it."""
        return False

    @abstractmethod
    def _loads(self, packed: Packed, batch: Batch) -> list[tuple[Packed, Load]] | None:
        """Return what stores *packed*, in parts; None if it goes row by row."""

    # -- batches ----------------------------------------------------------------

    async def prepare(self, batch: Batch) -> None:
        """Check and pack a batch, unless that has to wait for a connection.

        Others go on between its rows. If cancelled, it is not packed.

        Raises:
            ParameterError: A row cannot be stored (not when keeping going).
        """
        if self._packing is not None and not (self._reserves or self._feeds(batch)):
            steps = self._start(batch).pack_by_steps(
                batch.rows, self._checker(batch), self._stride
            )
            batch.packed = await _taken(steps, self._pace)

    async def put(
        self, connection: Connection, batch: Batch, *, is_inside: bool = False
    ) -> None:
        """Store a batch: all of it, or nothing, or every row that can be.

        Args:
            connection: Where.
            batch: What.
            is_inside: Whether a transaction is open, which must not break.

        Raises:
            ParameterError: A row cannot be stored (not when keeping going).
            ConstraintError: A row breaks a rule of the table (neither).
        """
        if self._packing is None:
            await self._put_slowly(connection, batch)
            return
        if not batch.is_packed:
            await self.prepare(batch)
        try:
            await self._put_packed(connection, batch, is_inside=is_inside)
        except GoSlowly:
            await self._put_slowly(connection, batch)
        except DriverError as error:
            if error.code != _MEETS_ITSELF:
                raise
            await self._put_slowly(connection, batch)

    async def _put_packed(
        self, connection: Connection, batch: Batch, *, is_inside: bool
    ) -> None:
        try:
            batch.tally = await self._put(connection, batch, is_inside=is_inside)
        except ConstraintError:
            if not self.manner.keep_going:
                raise
            await self._put_salvaging(connection, batch)

    async def _put(
        self, connection: Connection, batch: Batch, *, is_inside: bool
    ) -> Tally:
        """Store what is packed, once more if generated keys had fallen behind."""
        once = partial(self._put_once, connection, batch, is_inside=is_inside)
        try:
            return await once()
        except DuplicateKeyError as error:
            key = self.table.model.generated_key
            if all(key in each.columns for each in batch.packed) and not self._reserves:
                raise
            return await insert_again(connection, self.table, error, (), once)

    async def _put_once(
        self, connection: Connection, batch: Batch, *, is_inside: bool
    ) -> Tally:
        if self._reserves:
            self._pack(batch, await self._reserve(connection, len(batch.rows)))
        if not is_inside:
            return await self._run(connection, batch, batch.packed)
        async with connection.transaction():
            return await self._run(connection, batch, batch.packed)

    async def _put_salvaging(self, connection: Connection, batch: Batch) -> None:
        """Store what can be stored, in a transaction of the batch."""
        tally = Tally()
        for _ in batch.feed:
            pass  # it packs what is left
        async with connection.transaction():
            for packed in batch.packed:
                await self._salvage(connection, batch, packed, tally)
        batch.tally = tally

    async def _salvage(
        self, connection: Connection, batch: Batch, packed: Packed, tally: Tally
    ) -> None:
        """Store what can be stored: halve it until only bad rows are left."""
        try:
            async with connection.transaction():
                tally += await self._run(connection, batch, [packed])
        except ConstraintError as error:
            if len(packed) == 1:
                batch.failures.append(Failure(batch.start + packed.places[0], error))
                return
            for half in packed.halves():
                await self._salvage(connection, batch, half, tally)

    async def _put_slowly(self, connection: Connection, batch: Batch) -> None:
        rows, batch.failures = self._reader.read_each(
            batch.rows, batch.start, keep_going=self.manner.keep_going
        )
        if self.table.fixed:
            rows = [_with(row, self.table.stamped(row.values)) for row in rows]
        for given in {row.given for row in rows}:
            self._admit(frozenset(given))
        store = Store(connection, self.table, self.manner)
        await store.take(rows)
        batch.tally = store.tally
        batch.failures += store.failures

    def _stride(self) -> int:
        """Return how many rows to pack before others go on."""
        return self._pace.at_once(FEED_STRIDE, FEW)

    def _pack(self, batch: Batch, keys: Sequence[int]) -> None:
        packing = self._start(batch)
        batch.packed = packing.pack(batch.rows, self._checker(batch), keys)

    def _start(self, batch: Batch) -> Packing:
        """Make *batch* ready to be packed, once or once more."""
        assert self._packing is not None  # noqa: S101  # its callers looked
        batch.packed, batch.failures, batch.is_packed = [], [], True
        return self._packing

    def _checker(self, batch: Batch) -> Check:
        def check(place: int) -> Checked | None:
            index = batch.start + place
            try:
                row = self._reader.read(batch.rows[place], index)
            except ParameterError as error:
                if not self.manner.keep_going:
                    raise
                batch.failures.append(Failure(index, error))
                return None
            self._admit(frozenset(row.given))
            return self.table.stamped(row.values), frozenset(row.given)

        return check

    def _admit(self, given: frozenset[str]) -> None:
        """Ask the terms, if there are any, whether rows may name *given*."""
        admit = self.table.admit
        if admit is None:
            return
        manner = self.manner
        is_new, may_change = self._is_new, manner.on_conflict != "error"
        may_change = may_change and manner.on_conflict != "skip"
        changed = given.difference(manner.conflict)
        admit(given if is_new else None, changed if may_change else None)

    async def _run(
        self, connection: Connection, batch: Batch, groups: Sequence[Packed]
    ) -> Tally:
        """Load packed rows, all or nothing."""
        parts: list[tuple[Packed, Load]] = []
        for packed in groups:
            loads = None if self._is_checked(packed) else self._loads(packed, batch)
            if loads is None:
                raise GoSlowly
            parts += loads
        statements = [each for _, load in parts for each in load.statements]
        if not statements:
            return Tally()
        results = await connection.run(self.table.cleared(statements))
        return self._read(parts, results)

    def _is_checked(self, packed: Packed) -> bool:
        """Whether rows say which version is to be changed: then one by one."""
        is_change = self.manner.on_conflict == "change"
        return is_change and self.table.model.version_field in packed.columns

    def _read(
        self, parts: Sequence[tuple[Packed | FedRows, Load]], results: Sequence[Result]
    ) -> Tally:
        tally, at = Tally(), 0
        keys: list[tuple[int, Any]] = []
        for packed, load in parts:
            loaded = load.read(results[at : at + len(load.statements)])
            at += len(load.statements)
            tally.inserted += loaded.inserted
            tally.updated += loaded.updated
            tally.skipped += len(packed) - loaded.inserted - loaded.updated
            if self.manner.return_ids:
                values = [key_value(self.table, row) for row in loaded.keys or ()]
                # Fewer keys than rows: the others were there, and left alone.
                keys += zip(packed.places, values, strict=False)
        if self.manner.changes:
            keys.sort(key=itemgetter(0))
        tally.ids = [value for _, value in keys]
        return tally

    def _make_packing(self, *, is_reserving: bool = False) -> Packing:
        manner, packer = self.manner, packer_of(self.table.model, self.table.dialect)
        admit = self._admit if self.table.admit is not None else None
        if not self._is_new:
            return packer.changes(admit, self.table.fixed)
        required = () if manner.on_conflict == "error" else manner.conflict
        return packer.new(
            self._everywhere,
            required=required,
            is_reserving=is_reserving,
            by_given=manner.changes,
            admit=admit,
        )

    def _changed(self, packed: Packed) -> list[str] | None:
        """Return the columns that change in a row that is there; None for none."""
        if not self.manner.changes:
            return None
        model, conflict = self.table.model, self.manner.conflict
        # A default is for new rows; it must not overwrite what is stored.
        told = {*packed.given, model.updated_field}
        return [
            each for each in packed.columns if each in told and each not in conflict
        ]


class GoSlowly(Exception):  # noqa: N818  # no error: another way
    """Rows cannot be loaded together."""


async def _taken(steps: Generator[None, None, T], pace: Pace) -> T:
    """Return what steps lead to, with others going on in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("T", end.value)
        await pace.go_on()


def _with(row: Row, values: dict[str, Any]) -> Row:
    return Row(row.index, values, row.given)
