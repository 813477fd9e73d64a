"""Storing batches the quick way: packed on our side, loaded by few statements.

Where that is impossible or does not pay, a batch goes to `Store`, row by row. Both
ways give the same rows, counts and errors.

A load is all or nothing: where it fails, other ways may be tried. Inside a longer
transaction that takes a savepoint.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, Self, TypeVar, cast, final

from msgspec.structs import replace

from ....drivers import Connection
from ....errors import ConstraintError, DriverError, DuplicateKeyError, ParameterError
from ....sql import (
    FEED_STRIDE,
    POSTGRESQL,
    Check,
    Checked,
    Copying,
    Load,
    Loaded,
    Packed,
    Packing,
    Result,
    Running,
    Standing,
    Table,
    packer_of,
)
from ...limits import Pace
from ..parameters import key_value
from ._repair import insert_again
from ._rows import Failure, Row, RowReader
from ._store import Manner, Store
from ._tally import Tally

__all__ = ["FEW", "Batch", "Loader", "loader_of"]

T = TypeVar("T")

_SMALL: Final = 50
"""Rows up to which a batch is stored row by row on PostgreSQL.

Below, finding out how the table may be loaded costs more than COPY gains.
"""

FEW: Final = 32
"""Rows in a batch while others call.

Few enough that PostgreSQL gets them in one piece, and SQLite without a hop to a thread.
Beside a tenant that called once in a millisecond, its reads on PostgreSQL took 1.2 times
as long as with no flood (99th of 100); 2.2 times beside batches of 128 rows, 6 times
beside 1 000 and 25 times beside 10 000.
"""

_LAYERS: Final = 8
"""How often a key may come in one batch before it is stored row by row."""

_MEETS_ITSELF: Final = "21000"
"""Two rows of one statement agree in a key by the rules of the database alone.

Source: PostgreSQL, Appendix A, `cardinality_violation`.
"""


@final
class Batch:
    """Rows that are stored together, and what became of them.

    Attributes:
        start: Place of the first in the data.
        rows: What the sender gave.
        packed: Those that can be stored, ready for the database.
        is_packed: Whether they are.
        is_distinct: Whether none of its keys comes twice; None until it was looked.
        is_fed: Whether it is packed while the database reads it; None until it was
            decided.
        feed: Packs the rest of them, into `packed`.
        failures: The others.
        tally: Counts, once it is stored.
    """

    def __init__(self, start: int, rows: Sequence[Any]) -> None:
        self.start = start
        self.rows = rows
        self.packed: list[Packed] = []
        self.is_packed = False
        self.is_distinct: bool | None = None
        self.is_fed: bool | None = None
        self.feed: Iterator[Packed] = iter(())
        self.failures: list[Failure] = []
        self.tally = Tally()

    @property
    def end(self) -> int:
        """Place in the data behind the last row."""
        return self.start + len(self.rows)


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
        except _GoSlowly:
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
                raise _GoSlowly
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
        self, parts: Sequence[tuple[Packed | _Run, Load]], results: Sequence[Result]
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


def loader_of(
    table: Table,
    manner: Manner,
    reader: RowReader,
    everywhere: Mapping[str, Any] | None,
    pace: Pace,
) -> Loader:
    """Return what stores batches in the database of *table*, see `Loader`."""
    kind = _CopyLoader if table.dialect is POSTGRESQL else _RunLoader
    return kind(table, manner, reader, everywhere, pace)


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


class _GoSlowly(Exception):  # noqa: N818  # no error: another way
    """Rows cannot be loaded together."""


@final
class _RunLoader(Loader):
    """Loads on SQLite: one statement, run for each row, in one hop to its thread."""

    _is_known = False
    _running: Running

    @property
    def is_known(self) -> bool:
        """Whether it was found out how the table may be loaded."""
        return self._is_known

    async def survey(self, connection: Connection, n_rows: int) -> None:
        """Find out whether the keys of new rows can be told, if they are wanted."""
        del n_rows
        self._is_known = True
        self._running = Running(self.table.model)
        model = self.table.model
        if self.table.reads_rows:
            return
        if not (self.manner.return_ids and model.generated_key):
            self._packing = self._make_packing()
            return
        survey = self.table.cleared((self._running.survey(),))
        (result,) = await connection.run(survey)
        if self._running.tells_keys(result):
            self._packing = self._make_packing()

    def _loads(self, packed: Packed, batch: Batch) -> list[tuple[Packed, Load]] | None:
        del batch
        manner, running = self.manner, self._running
        if manner.on_conflict == "change":
            return [(packed, running.update(packed))]
        if not manner.tells(packed.columns):
            return [(packed, running.insert(packed, with_keys=manner.return_ids))]
        load = running.upsert(
            packed,
            manner.conflict,
            self._changed(packed),
            with_keys=manner.return_ids,
        )
        return [(packed, load)]


@final
class _CopyLoader(Loader):
    """Loads on PostgreSQL: by COPY, into the table or into a stage."""

    _is_known = False
    _standing: Standing | None = None

    def __init__(
        self,
        table: Table,
        manner: Manner,
        reader: RowReader,
        everywhere: Mapping[str, Any] | None,
        pace: Pace,
    ) -> None:
        super().__init__(table, manner, reader, everywhere, pace)
        self._copying = Copying(table.model, pace.gives_way)

    @property
    def is_known(self) -> bool:
        """Whether it was found out how the table may be loaded."""
        return self._is_known

    async def survey(self, connection: Connection, n_rows: int) -> None:
        """Ask what the table is, and what this user may do to it."""
        self._is_known = True
        if n_rows <= _SMALL or self.table.reads_rows:
            return
        survey = self.table.cleared((self._copying.survey(),))
        (result,) = await connection.run(survey)
        standing = self._copying.standing(result)
        if standing is None or not self._can_load(standing):
            return
        self._standing = standing
        self._packing = self._make_packing(is_reserving=self._reserves)

    def _can_load(self, standing: Standing) -> bool:
        manner = self.manner
        is_plain = manner.on_conflict == "error"
        if not (standing.is_stageable or (is_plain and standing.is_open)):
            return False
        return not (is_plain and manner.return_ids) or standing.sequence is not None

    @property
    def _reserves(self) -> bool:
        """Whether keys are wanted that nothing else tells: those of plain inserts."""
        manner = self.manner
        return (
            manner.return_ids
            and manner.on_conflict == "error"
            and self._standing is not None
        )

    def _feeds(self, batch: Batch) -> bool:
        if batch.is_fed is None:
            batch.is_fed = self._goes_by_one_copy(batch)
        return batch.is_fed

    def _goes_by_one_copy(self, batch: Batch) -> bool:
        """Whether it does, and is worth it."""
        standing = self._standing
        if standing is None or len(batch.rows) <= self._stride():
            return False
        if self.manner.on_conflict == "error":
            return standing.is_open
        if batch.is_distinct is None:
            batch.is_distinct = self._is_distinct(batch)
        return batch.is_distinct

    async def _put_once(
        self, connection: Connection, batch: Batch, *, is_inside: bool
    ) -> Tally:
        if not self._feeds(batch):
            return await super()._put_once(connection, batch, is_inside=is_inside)
        keys = await self._reserve(connection, len(batch.rows))
        packing = self._start(batch)
        feed = packing.feed(batch.rows, self._checker(batch), keys, self._stride)
        batch.feed = _noted(feed, batch.packed)
        async with connection.transaction():
            return await self._run_feed(connection, batch)

    async def _run_feed(self, connection: Connection, batch: Batch) -> Tally:
        """Load a batch while it is packed: one COPY for neighbours of one shape."""
        tally = Tally()
        first = next(batch.feed, None)
        while first is not None:
            run = _Run(first, batch)
            if self._is_checked(first):
                raise _GoSlowly
            load = self._feed_load(first, run)
            results = await connection.run(self.table.cleared(load.statements))
            tally += self._read([(run, load)], results)
            first = run.following
        return tally

    def _feed_load(self, first: Packed, run: _Run) -> Load:
        assert self._standing is not None  # noqa: S101  # else nothing is fed
        if self.manner.on_conflict != "error":
            return self._load(first, self._standing, run)

        def read(results: Sequence[Result]) -> Loaded:
            return Loaded(results[0].count, keys=run.keys)

        return Load([self._copying.insert_feed(first, run)], read)

    async def _reserve(self, connection: Connection, count: int) -> Sequence[int]:
        if not self._reserves:
            return ()
        assert self._standing is not None  # noqa: S101  # as above
        sequence = self._standing.sequence or ""
        reserve = self._copying.reserve(sequence, count)
        (result,) = await connection.run(self.table.cleared((reserve,)))
        return [row[0] for row in result.rows]

    def _loads(self, packed: Packed, batch: Batch) -> list[tuple[Packed, Load]] | None:
        manner, standing = self.manner, self._standing
        if standing is None or not packed.columns:
            return None
        if not manner.tells(packed.columns):
            if manner.return_ids and not packed.keys:
                return None
            return [(packed, self._copying.insert(packed, standing))]
        layers = self._layers(packed, batch)
        if layers is None:
            return None
        return [(layer, self._load(layer, standing)) for layer in layers]

    def _load(
        self, packed: Packed, standing: Standing, rest: _Run | None = None
    ) -> Load:
        manner = self.manner
        if manner.on_conflict == "change":
            return self._copying.update(packed, standing, rest)
        return self._copying.upsert(
            packed,
            standing,
            manner.conflict,
            self._changed(packed),
            with_keys=manner.return_ids,
            rest=rest,
        )

    def _layers(self, packed: Packed, batch: Batch) -> list[Packed] | None:
        """Return rows in layers: none holds a key twice, each key keeps its order.

        One statement cannot change a row twice; layer by layer it is as if the rows
        came one after the other. None if a key comes too often, or cannot be told.
        """
        layers: list[list[int]] = []
        seen: dict[Any, int] = {}
        try:
            keys = list(self._keys(batch, packed.places))
            if len(set(keys)) == len(keys):
                return [packed]
            for row, key in enumerate(keys):
                depth = seen[key] = seen.get(key, -1) + 1
                if depth == _LAYERS:
                    return None
                if depth == len(layers):
                    layers.append([])
                layers[depth].append(row)
        except (KeyError, TypeError):  # by default, or bytes that may change
            return None
        return [packed.only(rows) for rows in layers]

    def _is_distinct(self, batch: Batch) -> bool:
        """Whether no key comes twice; False too where they cannot be told."""
        try:
            keys = list(self._keys(batch, range(len(batch.rows))))
            return len(set(keys)) == len(keys)
        except (KeyError, TypeError):  # as below
            return False

    def _keys(self, batch: Batch, places: Sequence[int]) -> Iterator[Any]:
        everywhere = self._everywhere
        names = [name for name in self.manner.conflict if name not in everywhere]
        if not names:  # the same in every row
            return iter([()] * len(places))
        pick, rows = itemgetter(*names), batch.rows
        return (pick(rows[place]) for place in places)


def _noted(feed: Iterator[Packed], packed: list[Packed]) -> Iterator[Packed]:
    for each in feed:
        packed.append(each)
        yield each


@final
class _Run:
    """Packed rows of the same columns, as the feed of a batch gives them.

    Attributes:
        following: The first of other columns behind them.
    """

    def __init__(self, first: Packed, batch: Batch) -> None:
        self.following: Packed | None = None
        self._taken = [first]
        self._first = first
        self._batch = batch

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Packed:
        packed = next(self._batch.feed)
        if not packed.is_like(self._first):
            self.following = packed
            raise StopIteration
        self._taken.append(packed)
        return packed

    def __len__(self) -> int:
        return sum(map(len, self._taken))

    @property
    def places(self) -> list[int]:
        """Of the rows, in what was packed."""
        return [place for packed in self._taken for place in packed.places]

    @property
    def keys(self) -> list[tuple[int]]:
        """The generated keys of the rows, where they were reserved."""
        return [(key,) for packed in self._taken for key in packed.keys]
