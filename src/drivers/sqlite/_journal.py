"""Bringing the journal of a SQLite database into it, beside those who write.

SQLite lets the writer do that when the journal has grown, and whoever wants to write
next waits for the disk: 10 ms, for a write of 0.05. So a thread of its own does it, with
a connection of its own, which keeps no writer waiting (``PASSIVE``). What writers add
meanwhile stays in the journal. It begins anew only when all of it was brought in, which
a flood of writes may not let happen; then the writer does the rest, at `MOST` bytes.

How long the journal is tell its frames: those of old have other salts in their headers
than the journal itself has. Its size does not, for SQLite writes over old frames; having
it cut the file off each time cost 14 ms.

Source: sqlite.org/wal.html, "Checkpointing"; sqlite.org/pragma.html#pragma_wal_checkpoint;
sqlite.org/fileformat2.html, "The WAL File Format".
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing, suppress
from io import FileIO
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

_HEADER: Final = struct.Struct(">8xI4x8s8x")
"""Of the journal: the size of its pages, and its salts."""

_FRAME: Final = struct.Struct(">8x8s8x")
"""Before each page: the salts of the journal that it was written to."""

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
        self._file: FileIO | None = None
        self._salts = b""
        self._n_brought_in = 0
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_restarting = False

    @property
    def is_alive(self) -> bool:
        """Whether its thread is at work, or waits for some."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> None:
        """Have it brought in if it has grown enough.

        Any thread may call it that has the writer. It costs 3 us.
        """
        try:
            has_grown = self._has_grown()
        except OSError:  # there is none, or it cannot be read: left to the writer
            return
        if has_grown:
            if self._thread is None:
                self._thread = self._start()
            self._orders.put(_BRING_IN)

    def take_restart(self) -> bool:
        """Return once whether it was brought in: the next write waits for the disk."""
        taken, self._is_restarting = self._is_restarting, False
        return taken

    def close(self) -> None:
        """Let the thread end; nobody has the writer any more."""
        self._orders.put(_END)
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- within -----------------------------------------------------------------

    def _has_grown(self) -> bool:
        """Note what is to be brought in now, if it is enough."""
        if self._file is None:
            self._file = FileIO(f"{self._path}-wal")
        header = self._read(0, _HEADER.size)
        if len(header) < _HEADER.size:
            return False
        page_size, salts = _HEADER.unpack(header)
        if salts != self._salts:  # it began anew
            self._salts, self._n_brought_in = salts, 0
        n_frames = self._n_brought_in + max(1, GROWTH // page_size)
        last = self._read(
            _HEADER.size + (n_frames - 1) * (_FRAME.size + page_size), _FRAME.size
        )
        if len(last) < _FRAME.size or _FRAME.unpack(last) != (salts,):
            return False
        self._n_brought_in = n_frames
        return True

    def _read(self, at: int, count: int) -> bytes:
        assert self._file is not None  # noqa: S101  # its callers opened it
        self._file.seek(at)
        return self._file.read(count) or b""

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
