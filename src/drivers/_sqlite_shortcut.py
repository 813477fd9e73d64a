"""Brief statements, run where they are asked for instead of in the connection's thread.

A hop to the thread and back costs 60 to 150 µs, twenty of which the event loop is busy;
SQLite itself inserts a row in 14 µs and reads one in 5. So a statement on one row runs
on the event loop's thread, if nothing can make it long:

1. It is stopped after `OPERATIONS` steps of SQLite's machine (a trigger, a cascade, a
   key without an index), undone, and run again in the thread.
2. It never waits for a lock, and never copies the journal into the database: it goes
   to the thread instead, with every `WRITES`th write and the one after that.
3. Where it does not pay, because the disk is slow, the thread takes over for a while.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final, final

from ..sql import Result, Statement

__all__ = ["Shortcut"]

OPERATIONS: Final = 1_000
"""Steps of SQLite's machine at most, about 30 µs; an insert with two indexes takes 60."""

WRITES: Final = 100
"""Writes after which the thread may bring the journal into the database."""

WORTH_S: Final = 300e-6
"""Seconds that brief statements may take on average: a few hops.

More than one, for where a statement waits for a busy processor, hops wait longer.
"""

MEMORY: Final = 256
"""Statements that make up the average, roughly: one that waits for a busy machine
does not count for much, twenty reads from a slow disk do."""

REST_S: Final = 1.0
"""Seconds that the thread takes over for."""

CHECKPOINT_PAGES: Final = 1_000
"""Pages in the journal before it is brought into the database: SQLite's own choice.

Source: sqlite.org/c3ref/wal_autocheckpoint.html.
"""

_TOO_LONG: Final = ("SQLITE_INTERRUPT", "SQLITE_BUSY", "SQLITE_LOCKED")
"""What a statement fails with, by the begin of the name, that is for the thread."""


@final
class Shortcut:
    """The way around the thread of one connection.

    Args:
        connection: Which; nobody else may use it meanwhile.
        run: Runs one statement on it.
        is_reader: Whether it only reads.
        timeout_s: Seconds SQLite waits for a lock in the thread.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        run: Callable[[Statement], Result],
        *,
        is_reader: bool,
        timeout_s: float,
    ) -> None:
        self._connection = connection
        self._run = run
        self._is_reader = is_reader
        self._timeout_ms = round(timeout_s * 1_000)
        self._is_taken = False
        self._n_ticks = 0
        self._n_writes = 0
        self._average_s = 0.0
        self._rests_until = 0.0

    def run(self, statement: Statement) -> Result | None:
        """Run a brief statement here and now; None means that it did nothing.

        Raises:
            sqlite3.Error: SQLite refused the statement.
        """
        start = time.perf_counter()
        if start < self._rests_until or not (self._is_reader or self._may_write()):
            return None
        self._take()
        self._n_ticks = 0
        self._connection.set_progress_handler(self._tick, OPERATIONS // 2)
        try:
            return self._run(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(_TOO_LONG):
                return None
            raise
        finally:
            self._connection.set_progress_handler(None, 0)
            self._note(start, time.perf_counter())

    def _tick(self) -> bool:
        """Tell SQLite whether to stop; called after every so many steps.

        The first time tells nothing: a prepared statement counts on from its last run.
        """
        self._n_ticks += 1
        return self._n_ticks > 1

    def _note(self, start: float, end: float) -> None:
        """Rest if it did not pay lately."""
        self._average_s += (end - start - self._average_s) / MEMORY
        if self._average_s > WORTH_S:
            self._average_s = 0.0
            self._rests_until = end + REST_S

    def _may_write(self) -> bool:
        """Count a write; False for those that the thread must do."""
        # One brings the journal in, and the next begins a new one: both wait for disks.
        self._n_writes = (self._n_writes + 1) % (WRITES + 2)
        return self._n_writes < WRITES

    def _take(self) -> None:
        """Let nothing wait from now on."""
        if not self._is_taken:
            self._is_taken = True
            self._connection.execute("PRAGMA busy_timeout = 0").close()
            self._connection.execute("PRAGMA wal_autocheckpoint = 0").close()

    def leave(self) -> None:
        """Give the connection back to its thread, which may wait."""
        if self._is_taken:
            self._is_taken = False
            pages, timeout = CHECKPOINT_PAGES, self._timeout_ms
            self._connection.execute(f"PRAGMA busy_timeout = {timeout}").close()
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").close()
