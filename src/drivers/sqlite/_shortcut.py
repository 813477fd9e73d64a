"""Brief work, done where it is asked for instead of in the connection's thread.

A hop to the thread and back costs 60 to 150 µs, twenty of which the event loop is busy;
SQLite itself inserts a row in 14 µs and reads one in 5. And two threads that both have
work wait for the interpreter's lock, a turn of 20 creates for as long as it takes. So
statements on one row each run on the event loop's thread, and so do short lists, if
nothing can make them long:

1. They are stopped after `OPERATIONS` steps of SQLite's machine for each (a trigger, a
   cascade, a key without an index), undone, and run again in the thread.
2. They never wait for a lock, and never copy the journal into the database: after
   `WRITES` statements two pieces of work go to the thread instead.
3. Where it does not pay, because the disk is slow, the thread takes over for a while.
4. A list that was stopped, since no index finds its rows, is not tried again soon.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final, TypeVar, final

from ...errors import DriverError
from ._journal import Journal

__all__ = ["Shortcut"]

T = TypeVar("T")

OPERATIONS: Final = 1_000
"""Steps of SQLite's machine at most, about 30 µs; an insert with two indexes takes 60."""

STATEMENTS: Final = 128
"""Statements at most in one piece of work: a turn, which blocks for as long as that
takes to plan."""

WRITES: Final = 500
"""Written statements after which the thread may bring the journal into the database."""

STATEMENT_S: Final = 20e-6
"""Seconds that each statement beyond the first may take at no charge."""

WORTH_S: Final = 300e-6
"""Seconds that brief statements may take on average: a few hops.

More than one, for where a statement waits for a busy processor, hops wait longer.
"""

MEMORY: Final = 256
"""Statements that make up the average, roughly: one that waits for a busy machine
does not count for much, twenty reads from a slow disk do."""

REST_S: Final = 1.0
"""Seconds that the thread takes over for."""

TRIED_AGAIN: Final = 1_000
"""Runs in the thread after which a list is tried again: there may be an index now, or
fewer rows. What was done in vain, 60 us at most, is then nothing."""

TEXTS_KEPT: Final = 512
"""Texts of lists that are known to be long, as many as there are prepared statements."""

_TOO_LONG: Final = ("SQLITE_INTERRUPT", "SQLITE_BUSY", "SQLITE_LOCKED")
"""What a statement fails with, by the begin of the name, that is for the thread."""


@final
class Shortcut:
    """The way around the thread of one connection.

    Args:
        connection: Which; nobody else may use it meanwhile.
        is_reader: Whether it only reads.
        timeout_s: Seconds SQLite waits for a lock in the thread.
        most_pages: In the journal before its thread brings it in.
        journal: Tells when the next write waits for the disk, or None.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        is_reader: bool,
        timeout_s: float,
        most_pages: int,
        journal: Journal | None = None,
    ) -> None:
        self._journal = journal
        self._most_pages = most_pages
        self._connection = connection
        self._is_reader = is_reader
        self._timeout_ms = round(timeout_s * 1_000)
        self._is_taken = False
        self._n_ticks = self._most_ticks = 0
        self._n_writes = 0
        self._average_s = 0.0
        self._rests_until = 0.0
        self._long: dict[str, int] = {}

    def run(
        self, work: Callable[[], T], n_statements: int, guess: str | None = None
    ) -> T | None:
        """Do brief work here and now; None means that nothing was done.

        Args:
            work: Runs statements; what it has begun when it fails, it undoes.
            n_statements: How many.
            guess: Text of the one statement if it is only a guess that it is brief.

        Raises:
            DriverError: SQLite refused the work.
        """
        start = time.perf_counter()
        if start < self._rests_until or n_statements > STATEMENTS:
            return None
        if not (self._is_reader or self._may_write(n_statements)):
            return None
        if guess is not None and self._is_long(guess):
            return None
        self._take()
        self._n_ticks, self._most_ticks = 0, n_statements
        self._connection.set_progress_handler(self._tick, OPERATIONS // 2)
        try:
            return work()
        except DriverError as error:
            if error.code.startswith(_TOO_LONG):
                if guess is not None:
                    self._note_long(guess)
                return None
            raise
        finally:
            self._connection.set_progress_handler(None, 0)
            self._note(start, time.perf_counter(), n_statements)

    def _tick(self) -> bool:
        """Tell SQLite whether to stop; called after every so many steps.

        Once for each statement tells nothing: one that is prepared counts on from its
        last run.
        """
        self._n_ticks += 1
        return self._n_ticks > self._most_ticks

    def _note(self, start: float, end: float, n_statements: int) -> None:
        """Rest if it did not pay lately."""
        cost_s = end - start - STATEMENT_S * (n_statements - 1)
        self._average_s += (cost_s - self._average_s) / MEMORY
        if self._average_s > WORTH_S:
            self._average_s = 0.0
            self._rests_until = end + REST_S

    def _is_long(self, text: str) -> bool:
        """Whether a list was stopped not long ago."""
        runs = self._long.get(text)
        if runs is None:
            return False
        if runs:
            self._long[text] = runs - 1
            return True
        del self._long[text]
        return False

    def _note_long(self, text: str) -> None:
        if len(self._long) >= TEXTS_KEPT:
            self._long.clear()
        self._long[text] = TRIED_AGAIN

    def _may_write(self, n_statements: int) -> bool:
        """Count what is written; False for what the thread must do."""
        if self._n_writes >= WRITES:
            # One brings the journal in, and the next begins a new one: both wait for
            # the disk.
            self._n_writes = -1
            return False
        if self._n_writes < 0 or (self._journal and self._journal.take_restart()):
            self._n_writes = 0
            return False
        self._n_writes += n_statements
        return True

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
            pages, timeout = self._most_pages, self._timeout_ms
            self._connection.execute(f"PRAGMA busy_timeout = {timeout}").close()
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").close()
