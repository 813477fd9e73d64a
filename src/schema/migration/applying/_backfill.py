"""Giving rows values a batch at a time, and taking them back.

Rules of this file: what a batch committed is not done again, rows with a value are
passed over. On PostgreSQL, where batches outlive the step that fails behind them, rows
that got a value are noted in a temporary table, so that exactly they lose it again,
and only where nobody has changed it since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import anyio

from ....drivers import GRACE_S, Connection
from ....errors import DriverError, QueryError
from ....sql import Dialect, Statement, codec
from ....telemetry import get_log
from .._step import Backfill
from ..planning import Fill
from ._lock import patiently
from ._look import ask

__all__ = ["Backfills"]

BATCH: Final = 5_000
"""Rows that one transaction of a backfill gives a value."""

log = get_log("dataflow.migrations")


@final
class Backfills:
    """Gives rows values over the connection that migrates.

    Args:
        connection: Over which.
        dialect: What it speaks.
        fills: Where factories of values are found, by table and column.
        is_noting: Whether they may have to be taken back; of no meaning on SQLite,
            where the transaction does that.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        fills: Mapping[tuple[str, str], Fill],
        *,
        is_noting: bool,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._fills = fills
        self._is_noting = is_noting and dialect.name == "postgresql"
        self._notes: dict[Backfill, str] = {}

    async def fill(self, fill: Backfill) -> None:
        """Give rows without a value one, in the order of their keys.

        If cancelled, the batches before stay.

        Raises:
            DriverError: The database refused.
        """
        if self._is_noting:
            await self._note(fill)
        last: Sequence[Any] | None = None
        while True:
            keys = await self._next(fill, last)
            if not keys:
                return
            await patiently(
                "give rows a value",
                lambda _: self._fill_some(fill, keys),  # noqa: B023  # awaited here
            )
            last = keys[-1]

    async def take_back(self, fill: Backfill) -> None:
        """Take values back that rows were given by this object, and still have.

        Raises:
            DriverError: The database refused.
        """
        note = self._notes.get(fill)
        if note is None:
            return
        same = " AND ".join(
            f"t.{column} = s.k{number}" for number, column in enumerate(fill.key)
        )
        text = (
            f"WITH taken AS (DELETE FROM {note} WHERE ctid = ANY(ARRAY("
            f"SELECT ctid FROM {note} LIMIT {BATCH})) RETURNING *), "
            f"changed AS (UPDATE {fill.table} AS t SET {fill.column} = NULL "
            f"FROM taken AS s WHERE {same} AND t.{fill.column}::text = s.value::text) "
            "SELECT count(*) FROM taken"
        )

        async def some(_: float) -> int:
            return int((await ask(self._connection, text))[0][0])

        while await patiently("take values back", some):
            pass

    async def forget(self) -> None:
        """Drop the notes: nothing is taken back any more."""
        texts = [f"DROP TABLE IF EXISTS {note}" for note in self._notes.values()]
        self._notes.clear()
        if not texts:
            return
        with anyio.move_on_after(GRACE_S, shield=True):
            try:
                await self._connection.run([Statement(text) for text in texts])
            except DriverError as error:  # they end with the connection
                log.info("notes_of_backfill_left", error=str(error))

    async def _note(self, fill: Backfill) -> None:
        """Make the table of what rows are given, where the role may."""
        note = f"pg_temp.dataflow_filled_{len(self._notes)}"
        columns = [f"{name} AS k{number}" for number, name in enumerate(fill.key)]
        listed = ", ".join([*columns, f"{fill.column} AS value"])
        made = f"CREATE TABLE {note} AS SELECT {listed} FROM {fill.table} WITH NO DATA"
        # A migration that was cancelled may have left one.
        texts = [f"DROP TABLE IF EXISTS {note}", made]
        try:
            await self._connection.run([Statement(text) for text in texts])
        except QueryError as error:
            log.warning("backfill_cannot_be_undone", table=fill.table, error=str(error))
            return
        self._notes[fill] = note

    async def _next(
        self, fill: Backfill, last: Sequence[Any] | None
    ) -> list[tuple[Any, ...]]:
        key = ", ".join(fill.key)
        behind = ""
        if last is not None:
            places = ", ".join(self._places(len(fill.key)))
            behind = f"AND ({key}) > ({places}) "
        query = (
            f"SELECT {key} FROM {fill.table} WHERE {fill.column} IS NULL {behind}"
            f"ORDER BY {key} LIMIT {BATCH}"
        )
        return [tuple(row) for row in await ask(self._connection, query, *(last or ()))]

    async def _fill_some(self, fill: Backfill, keys: Sequence[tuple[Any, ...]]) -> None:
        is_made = fill.literal is None
        places = self._places(len(fill.key) + is_made)
        where = " AND ".join(
            f"{column} = {place}"
            for column, place in zip(fill.key, places[is_made:], strict=True)
        )
        text = (
            f"UPDATE {fill.table} SET {fill.column} = "
            f"{places[0] if is_made else fill.literal} "
            f"WHERE {where} AND {fill.column} IS NULL"
        )
        note = self._notes.get(fill)
        if note is not None:
            listed = ", ".join([*fill.key, fill.column])
            text = (
                f"WITH filled AS ({text} RETURNING {listed}) "
                f"INSERT INTO {note} SELECT {listed} FROM filled"
            )
        rows = keys
        if is_made:
            values = self._values(fill, len(keys))
            rows = [(value, *key) for value, key in zip(values, keys, strict=True)]
        await self._connection.run([Statement(text, rows, many=True)])

    def _values(self, fill: Backfill, count: int) -> list[Any]:
        found = self._fills[fill.place]
        assert found.factory is not None, "the plan says so"  # noqa: S101
        encode = codec(found.type, self._dialect).encode
        values = [found.factory() for _ in range(count)]
        return values if encode is None else [encode(value) for value in values]

    def _places(self, count: int) -> list[str]:
        return [self._dialect.place(number + 1) for number in range(count)]
