"""Bringing the journal of a SQLite database into it, beside those who write.

SQLite lets the writer do that when the journal has grown, and whoever wants to write
next waits for the disk: 10 ms, for a write of 0.05. So a thread of its own does it, with
a connection of its own, which keeps no writer waiting (``PASSIVE``). What writers add
meanwhile stays in the journal. It begins anew only when all of it was brought in, which
a flood of writes may not let happen; then the writer does the rest, at `MOST` bytes.

Source: sqlite.org/wal.html, "Checkpointing"; sqlite.org/pragma.html#pragma_wal_checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Final, final

__all__ = ["MOST", "Journal"]

GROWTH: Final = 4 * 2**20
"""Bytes by which the journal grows before they are brought in: 1 000 pages, SQLite's
own choice. Source: sqlite.org/c3ref/wal_autocheckpoint.html.
"""

MOST: Final = 8 * GROWTH
"""Bytes in the journal before the writer brings in what is left."""


_BRING_IN: Final = True
_END: Final = False


@final
class Journal:
    """The journal of one database, as one driver sees it.

    Args:
        path: File of the database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._journal = f"{path}-wal"
        self._brought_in = 0
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_restarting = False

    @property
    def is_alive(self) -> bool:
        """Whether its thread is at work, or waits for some."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> None:
        """Have it brought in if it has grown enough.

        Any thread may call it that has the writer.

        It costs 2 us.
        """
        try:
            size = os.stat(self._journal).st_size  # `Path` takes ten times as long
        except OSError:
            return
        if size < self._brought_in:  # it began anew
            self._brought_in = 0
        if size >= MOST:
            self._is_restarting = True
        if size - self._brought_in >= GROWTH:
            self._brought_in = size
            if self._thread is None:
                self._thread = self._start()
            self._orders.put(_BRING_IN)

    def take_restart(self) -> bool:
        """Return once whether it was brought in: the next write waits for the disk."""
        taken, self._is_restarting = self._is_restarting, False
        return taken

    def close(self) -> None:
        """Let the thread end; any thread may call it."""
        self._orders.put(_END)

    def _start(self) -> Thread:
        name = "dataflow-sqlite-journal"
        thread = Thread(target=self._work, name=name, daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        # What goes wrong here goes wrong for the writer too, which says so.
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path)) as own:
            while self._orders.get() is _BRING_IN:
                self._bring_in(own)

    def _bring_in(self, own: sqlite3.Connection) -> None:
        own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self._is_restarting = True
