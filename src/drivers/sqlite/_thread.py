"""What runs in the thread of a SQLite connection.

Rules of this file:

1. A function here leaves no transaction behind that it began, and ends early once
   `stop` is set.
2. SQLite rolls back by itself on some errors, such as a full disk or an interrupt:
   look at `in_transaction` before a ROLLBACK.
3. Another process may hold the write lock. It is waited for in slices, since a
   waiting SQLite cannot be interrupted.
4. Errors leave translated, since only here it is known which statement failed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar, final

from ...errors import DriverError, TransactionConflictError
from ...sql import Permits, Result, Statement
from .._refusals import sqlite_errors, sqlite_refusal
from .._workplace import Work, finished
from ._authorizer import Authorizer
from ._functions import give_functions
from ._journal import MOST, Journal
from ._shortcut import Shortcut

__all__ = ["SqliteThread"]

T = TypeVar("T")

STATEMENTS_CACHED: Final = 512
"""Prepared statements per connection: models times the shapes of their nodes."""

BUSY_SLICE_S: Final = 0.02
"""Seconds SQLite waits for a lock before the thread looks whether to stop."""

_GROUP: Final = "dataflow_group"
"""Name of the savepoint of a group of statements."""

ROWS_DECODED: Final = 1_000
"""Rows that are fetched before they are decoded.

CPython keeps 2 000 tuples of each length under 20 for use again. Measured with 90 000
rows of eight columns: 188 ms, and 230 ms with 5 000 or more at a time.
"""

STRIDE: Final = 256
"""Executions before the thread looks whether to stop: about a millisecond.

A look before each of them takes 0.1 of the 4 us of an insert.
"""

_COUNTED_BY_MODULE: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")
"""Statements whose changed rows sqlite3 counts, by their first word."""


@final
class SqliteThread:
    """One `sqlite3.Connection`; methods run in its thread unless they say so.

    Args:
        path: File of the database, or ``:memory:``.
        is_reader: Whether writes are refused.
        timeout: Seconds to wait for the lock of another process.
        timed: Whether to note how long each statement took.
        journal: Looked at after each commit, or None.

    Attributes:
        is_reader: As given.
        stop: Whether what runs is to end.
        ran: With *timed*, each statement, the seconds it took and its count.
    """

    def __init__(
        self,
        path: str,
        *,
        is_reader: bool,
        timeout: float,
        timed: bool,
        journal: Journal | None = None,
    ) -> None:
        self._journal = journal
        self.is_reader = is_reader
        self.stop = False
        self.ran: list[tuple[Statement, float, int]] = []
        self._path = path
        self._begin = "BEGIN" if is_reader else "BEGIN IMMEDIATE"
        self._timeout = timeout
        self._timed = timed
        self._is_open = False
        self._connection: sqlite3.Connection
        self._shortcut: Shortcut
        self._most_pages: int
        # A query whose caller may have gone; left open it would keep SQLite from
        # rolling back, and aiosqlite's thread refers to it until its next result.
        self._unfetched: sqlite3.Cursor | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether SQLite has a transaction open; any thread may ask."""
        return self._connection.in_transaction

    def interrupt(self) -> None:
        """Stop the statement that runs now, if any; any thread may call it."""
        self._connection.interrupt()

    def abandon(self) -> None:
        """Close the connection of an opening that nobody waits for any more."""
        self.stop = True
        if self._is_open:
            self._connection.close()

    def resume(self) -> None:
        """Be of use again, now that what was to be stopped has ended."""
        self.stop = False
        if self._unfetched is not None:
            self._unfetched.close()

    # -- opening ----------------------------------------------------------------

    def open(self) -> sqlite3.Connection:
        """Connect and set the connection up."""
        try:
            connection = sqlite3.connect(
                self._path,
                timeout=BUSY_SLICE_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_CACHED,
            )
            try:
                self._patiently(self._prepare, connection)
            except BaseException:
                connection.close()
                raise
        except sqlite_errors() as error:
            raise sqlite_refusal(error) from error
        self._shortcut = Shortcut(
            connection,
            is_reader=self.is_reader,
            timeout_s=BUSY_SLICE_S,
            journal=self._journal,
            most_pages=self._most_pages,
        )
        self._connection, self._is_open = connection, True
        if self.stop:  # `abandon` may have come before the line above
            connection.close()
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._most_pages = _most_pages(connection)
        connection.execute(f"PRAGMA wal_autocheckpoint = {self._most_pages}")
        connection.execute("PRAGMA foreign_keys = ON")
        if self.is_reader:
            connection.execute("PRAGMA query_only = ON")
        give_functions(connection)

    # -- statements -------------------------------------------------------------

    def run_here(self, statement: Statement) -> list[Result] | None:
        """Run a brief statement in the thread of the caller; None if it needs this one.

        Outside a transaction, and while this thread does nothing.
        """
        guess = None if statement.is_brief else statement.text
        return self._shortcut.run(partial(self.run_joined, (statement,)), 1, guess)

    def run_joined_here(self, statements: Sequence[Statement]) -> list[Result] | None:
        """Run brief statements likewise, in one transaction, all or nothing."""
        n_statements = sum(
            len(each.parameters) if each.many else 1 for each in statements
        )
        return self._shortcut.run(partial(self._run_whole, statements), n_statements)

    def run_apart_here(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError] | None:
        """Run groups of brief statements likewise, in one transaction."""
        n_statements = sum(map(len, groups))
        return self._shortcut.run(partial(self._run_groups, groups), n_statements)

    def run_alone(self, statements: Sequence[Statement]) -> list[Result]:
        """Run outside a transaction, all or nothing."""
        self._shortcut.leave()
        if len(statements) == 1 and not statements[0].many:
            results = self._patiently(self.run_joined, statements)
            self._look_at_journal()
            return results
        self.begin()
        try:
            results = self.run_joined(statements)
            self._check_stop()
            self.commit()
        except BaseException:
            self.roll_back()
            raise
        return results

    def _run_whole(self, statements: Sequence[Statement]) -> list[Result]:
        self.command(self._begin)
        try:
            results = self.run_joined(statements)
            self.command("COMMIT")
        except BaseException:
            self.roll_back()
            raise
        return results

    def run_apart(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        """Run groups in one transaction; one that fails is undone by itself."""
        self._shortcut.leave()
        outcomes = self._patiently(self._run_groups, groups)
        self._look_at_journal()
        return outcomes

    def _run_groups(
        self, groups: Sequence[Sequence[Statement]]
    ) -> list[list[Result] | DriverError]:
        self.command(self._begin)
        try:
            outcomes = [self._run_group(statements) for statements in groups]
            self._check_stop()
            self.command("COMMIT")
        except BaseException:
            self.roll_back()
            raise
        return outcomes

    def _run_group(self, statements: Sequence[Statement]) -> list[Result] | DriverError:
        # SQLite undoes a single statement that fails by itself.
        is_single = len(statements) == 1 and not statements[0].many
        if not is_single:
            self.command(f"SAVEPOINT {_GROUP}")
        try:
            results = self.run_joined(statements)
        except DriverError as error:
            is_stopped = self.stop or error.code.startswith("SQLITE_INTERRUPT")
            if is_stopped or not self.in_transaction:  # see rule 2
                raise
            if not is_single:
                self.roll_back_to(_GROUP)
            return error
        if not is_single:
            self.command(f"RELEASE {_GROUP}")
        return results

    def run_joined(self, statements: Sequence[Statement]) -> list[Result]:
        """Run inside the open transaction, or a single statement without one."""
        return [self._run_one(statement) for statement in statements]

    def _run_one(self, statement: Statement) -> Result:
        if statement.permits is None:
            return self._run_freely(statement)
        with self._asking(statement.permits):
            return self._run_freely(statement)

    def _run_freely(self, statement: Statement) -> Result:
        self._check_stop()
        start = time.perf_counter() if self._timed else 0.0
        try:
            result = (
                self._run_many(statement) if statement.many else self._run(statement)
            )
        except sqlite_errors() as error:
            raise sqlite_refusal(error, statement.text) from error
        if self._timed:
            self.ran.append((statement, time.perf_counter() - start, result.count))
        return result

    def _run(self, statement: Statement) -> Result:
        connection = self._connection
        if statement.is_brief:  # a fifth less for the most frequent ones
            rows = connection.execute(statement.text, statement.parameters).fetchall()
            return Result(rows, len(rows))
        before = connection.total_changes
        cursor = connection.execute(statement.text, statement.parameters)
        if cursor.description is not None:
            if statement.decode is not None:
                decoded = self._decoded(cursor, statement.decode)
                return Result(decoded, len(decoded))
            rows = cursor.fetchall()
            if not statement.returns_rows:
                return Result((), len(rows))
            return Result(rows, len(rows), _columns(cursor))
        if cursor.rowcount < 0 and connection.total_changes != before:
            # sqlite3 counts by the first word of the text; not "WITH … UPDATE".
            return Result((), connection.execute("SELECT changes()").fetchone()[0])
        return Result((), max(cursor.rowcount, 0))

    def _decoded(
        self, cursor: sqlite3.Cursor, decode: Callable[[list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Fetch and decode some rows at a time, so that their tuples are used again."""
        decoded: list[Any] = []
        try:
            while rows := cursor.fetchmany(ROWS_DECODED):
                decoded += decode(rows)
                self._check_stop()
        finally:
            cursor.close()  # see `_unfetched`
        return decoded

    def _run_many(self, statement: Statement) -> Result:
        if not statement.returns_rows and _is_counted(statement.text):
            return Result((), self._execute_many(statement))
        rows: list[Any] = []
        count = 0
        columns: tuple[str, ...] = ()
        for parameters in self._watched(statement.parameters):
            one = Statement(statement.text, parameters, statement.returns_rows)
            result = self._run(one)
            rows.extend(result.rows)
            count, columns = count + result.count, result.columns
        return Result(rows, count, columns)

    def _execute_many(self, statement: Statement) -> int:
        """Run once per element, and return how many rows changed."""
        text, parameters, count = statement.text, statement.parameters, 0
        for at in range(0, len(parameters), STRIDE):
            self._check_stop()
            cursor = self._connection.executemany(text, parameters[at : at + STRIDE])
            count += max(cursor.rowcount, 0)
        return count

    def _watched(self, parameters: Sequence[Any]) -> Iterator[Any]:
        """Yield each of *parameters* until the caller is cancelled."""
        for one in parameters:
            self._check_stop()
            yield one

    def _check_stop(self) -> None:
        if self.stop:
            msg = "interrupted"
            raise sqlite3.OperationalError(msg)

    # -- work -------------------------------------------------------------------

    def run_work(self, work: Work[T]) -> T:
        """Do *work* in a transaction, all of it or nothing."""
        self.begin()
        try:
            made = finished(work(_Inside(self)))
            self._check_stop()
            self.commit()
        except BaseException:
            self.roll_back()
            raise
        return made

    # -- transactions -----------------------------------------------------------

    def begin(self) -> None:
        """Begin a transaction, waiting for the write lock unless it only reads."""
        self._shortcut.leave()
        self._patiently(self.command, self._begin)

    def commit(self) -> None:
        """Commit, or roll back where that fails."""
        try:
            self._patiently(self.command, "COMMIT")
        except BaseException:
            self.roll_back()
            raise
        self._look_at_journal()

    def roll_back(self) -> None:
        """Roll back what is open, if anything is."""
        if self.in_transaction:
            self.command("ROLLBACK")

    def roll_back_to(self, savepoint: str) -> None:
        """Roll back to *savepoint*, unless SQLite has rolled back everything."""
        if self.in_transaction:
            self.command(f"ROLLBACK TO {savepoint}")
            self.command(f"RELEASE {savepoint}")

    def command(self, text: str) -> None:
        """Run a statement without parameters or rows."""
        try:
            self._connection.execute(text)
        except sqlite_errors() as error:
            raise sqlite_refusal(error, text) from error

    def _look_at_journal(self) -> None:
        if self._journal is not None:
            self._journal.look()

    # -- streams ----------------------------------------------------------------

    def open_cursor(self, statement: Statement) -> sqlite3.Cursor:
        """Start a query and leave it open."""
        if statement.permits is None:
            return self._open_freely(statement)
        with self._asking(statement.permits):
            return self._open_freely(statement)

    def _open_freely(self, statement: Statement) -> sqlite3.Cursor:
        try:
            self._unfetched = self._connection.execute(
                statement.text, statement.parameters
            )
        except sqlite_errors() as error:
            raise sqlite_refusal(error, statement.text) from error
        return self._unfetched

    def fetch(
        self,
        cursor: sqlite3.Cursor,
        count: int,
        decode: Callable[[Sequence[Any]], Sequence[Any]] | None = None,
    ) -> Sequence[Any]:
        """Return the next rows of an open query, or what *decode* makes of them."""
        self._unfetched = None
        try:
            self._check_stop()
            rows = cursor.fetchmany(count)
        except sqlite_errors() as error:
            raise sqlite_refusal(error) from error
        return rows if decode is None else decode(rows)

    # -- within -----------------------------------------------------------------

    @contextmanager
    def _asking(self, permits: Permits) -> Generator[None]:
        """Have SQLite ask *permits* of all that is done in the block.

        Prepared statements are prepared again afterwards, each when it next runs: that
        is why only statements that somebody else wrote are asked about.
        """
        self._close_schema()
        authorizer = Authorizer(permits)
        self._connection.set_authorizer(authorizer)
        try:
            yield
        except DriverError as error:
            if authorizer.refusal is None:
                raise
            raise authorizer.refusal from error
        finally:
            self._connection.set_authorizer(None)

    def _close_schema(self) -> None:
        """Have SQLite refuse writes to its own tables, whatever ran here before."""
        pragma = "PRAGMA writable_schema"
        if self._connection.execute(pragma).fetchall() != [(0,)]:
            self._connection.execute(f"{pragma} = OFF").close()

    def _patiently(self, function: Callable[..., T], *args: object) -> T:
        """Call *function* again while another process holds a lock it needs."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return function(*args)
            except (TransactionConflictError, sqlite3.OperationalError) as error:
                is_late = self.stop or time.monotonic() >= deadline
                if is_late or not _is_busy(error):
                    raise


@final
class _Inside:
    """A connection for work in its thread: nothing of it ever waits."""

    def __init__(self, thread: SqliteThread) -> None:
        self._thread = thread

    async def run(self, statements: Sequence[Statement]) -> list[Result]:
        return self._thread.run_joined(statements)

    async def run_apart(self, group: Sequence[Statement]) -> list[Result] | DriverError:
        thread = self._thread
        thread.command("SAVEPOINT apart")
        try:
            results = thread.run_joined(group)
        except DriverError as error:
            if not thread.in_transaction:  # SQLite has undone all of it
                raise
            thread.roll_back_to("apart")
            return error
        thread.command("RELEASE apart")
        return results


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "code", "")
    return str(code).startswith("SQLITE_BUSY")


def _is_counted(text: str) -> bool:
    """Tell whether `executemany` counts what *text* changes, and does so rightly."""
    words = text.upper()
    return words.lstrip().startswith(_COUNTED_BY_MODULE) and "RETURNING" not in words


def _columns(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple(column[0] for column in cursor.description)


def _most_pages(connection: sqlite3.Connection) -> int:
    """Return the pages of the journal at which the writer brings it in itself."""
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return MOST // int(page_size)
