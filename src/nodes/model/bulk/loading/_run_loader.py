"""Loading on SQLite: one statement, run for each row."""

from __future__ import annotations

from typing import final

from .....drivers import Connection
from .....sql import Load, Packed, Running
from ._batch import Batch
from ._loader import Loader

__all__ = ["RunLoader"]


@final
class RunLoader(Loader):
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
