"""Loading on PostgreSQL: by COPY, into the table or into a stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, final

from .....drivers import Connection
from .....sql import Copying, Load, Loaded, Packed, Result, Standing, Table
from ....limits import Pace
from .._rows import RowReader
from .._store import Manner
from .._tally import Tally
from ._batch import Batch
from ._fed_rows import FedRows, noted
from ._loader import GoSlowly, Loader

__all__ = ["CopyLoader"]

_SMALL: Final = 50
"""Rows up to which a batch is stored row by row on PostgreSQL.

Below, finding out how the table may be loaded costs more than COPY gains.
"""

_LAYERS: Final = 8
"""How often a key may come in one batch before it is stored row by row."""


@final
class CopyLoader(Loader):
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
        batch.feed = noted(feed, batch.packed)
        async with connection.transaction():
            return await self._run_feed(connection, batch)

    async def _run_feed(self, connection: Connection, batch: Batch) -> Tally:
        """Load a batch while it is packed: one COPY for neighbours of one shape."""
        tally = Tally()
        first = next(batch.feed, None)
        while first is not None:
            run = FedRows(first, batch)
            if self._is_checked(first):
                raise GoSlowly
            load = self._feed_load(first, run)
            results = await connection.run(self.table.cleared(load.statements))
            tally += self._read([(run, load)], results)
            first = run.following
        return tally

    def _feed_load(self, first: Packed, run: FedRows) -> Load:
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
        self, packed: Packed, standing: Standing, rest: FedRows | None = None
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
