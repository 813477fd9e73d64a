"""The way around the thread of a SQLite connection, for statements on one row."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.drivers._refusals import sqlite_refusal
from dataflow.drivers.sqlite._shortcut import (
    MEMORY,
    REST_S,
    STATEMENTS,
    TEXTS_KEPT,
    TRIED_AGAIN,
    WORTH_S,
    WRITES,
    Shortcut,
)
from dataflow.errors import DuplicateKeyError, QueryError
from dataflow.sql import Result, Statement

TIMEOUT_S = 0.02
PAGES = 500
INSERT = Statement("INSERT INTO item (name) VALUES (?1)", ("a",))
READ = Statement("SELECT name FROM item", (), returns_rows=True)
NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 10000) "
LONG_READ = Statement(NUMBERS + "SELECT count(*) FROM n", (), returns_rows=True)  # noqa: S608
LONG_WRITE = Statement(NUMBERS + "INSERT INTO item (name) SELECT x FROM n")  # noqa: S608


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass, however busy the machine is."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "it.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield connection
    connection.close()


class Way:
    """The way around a thread, for one statement at a time."""

    def __init__(self, connection: sqlite3.Connection, *, is_reader: bool) -> None:
        self.connection = connection
        self.shortcut = Shortcut(
            connection, is_reader=is_reader, timeout_s=TIMEOUT_S, most_pages=PAGES
        )
        self.leave = self.shortcut.leave

    def guess(self, statement: Statement) -> Result | None:
        return self.run(statement, guess=statement.text)

    def run(
        self, statement: Statement, n_statements: int = 1, guess: str | None = None
    ) -> Result | None:
        def work() -> Result:
            text, parameters = statement.text, statement.parameters
            try:
                rows = self.connection.execute(text, parameters).fetchall()
            except sqlite3.Error as error:
                raise sqlite_refusal(error, text) from error
            return Result(rows, len(rows))

        return self.shortcut.run(work, n_statements, guess)


def shortcut(connection: sqlite3.Connection, *, is_reader: bool = False) -> Way:
    return Way(connection, is_reader=is_reader)


def pragmas(connection: sqlite3.Connection) -> list[int]:
    names = ("busy_timeout", "wal_autocheckpoint")
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_a_brief_statement_is_run_at_once(connection: sqlite3.Connection) -> None:
    way = shortcut(connection)

    assert way.run(INSERT) is not None
    result = way.run(READ)
    assert result is not None
    assert result.rows == [("a",)]


@pytest.mark.parametrize("statement", [LONG_READ, LONG_WRITE])
def test_a_long_statement_is_stopped_and_undone(
    connection: sqlite3.Connection, statement: Statement
) -> None:
    assert shortcut(connection).run(statement) is None

    assert not connection.in_transaction
    assert connection.execute(READ.text).fetchall() == []
    connection.execute(LONG_WRITE.text)  # nothing stops it any more
    assert len(connection.execute(READ.text).fetchall()) == 10_000


def test_a_statement_that_would_wait_for_a_lock_is_left_to_the_thread(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "it.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        way = shortcut(connection)
        start = time.monotonic()
        assert way.run(INSERT) is None
        assert time.monotonic() - start < TIMEOUT_S
        other.execute("COMMIT")
        assert way.run(INSERT) is not None
    finally:
        other.close()


def test_a_refusal_is_raised(connection: sqlite3.Connection) -> None:
    way = shortcut(connection)
    way.run(INSERT)

    with pytest.raises(DuplicateKeyError):
        way.run(INSERT)
    with pytest.raises(QueryError, match="no such table"):
        way.run(Statement("SELECT 1 FROM missing"))


@pytest.mark.usefixtures("still")
def test_the_thread_gets_two_pieces_of_work_after_so_many_writes(
    connection: sqlite3.Connection,
) -> None:
    way = shortcut(connection)
    size = WRITES // 5
    outcomes = [
        way.run(Statement(INSERT.text, (str(number),)), size) is not None
        for number in range(14)
    ]

    assert outcomes == 2 * ([True] * 5 + [False] * 2)


@pytest.mark.usefixtures("still")
def test_more_statements_than_a_turn_has_are_left_to_the_thread(
    connection: sqlite3.Connection,
) -> None:
    way = shortcut(connection)

    assert way.run(READ, STATEMENTS) is not None
    assert way.run(READ, STATEMENTS + 1) is None


@pytest.mark.usefixtures("still")
def test_a_reader_may_always_take_it(connection: sqlite3.Connection) -> None:
    way = shortcut(connection, is_reader=True)

    assert all(way.run(READ) is not None for _ in range(2 * WRITES + 4))


def test_nothing_waits_and_nothing_is_copied_until_the_thread_has_it_back(
    connection: sqlite3.Connection,
) -> None:
    way = shortcut(connection)
    way.run(INSERT)
    assert pragmas(connection) == [0, 0]

    way.leave()
    assert pragmas(connection) == [round(TIMEOUT_S * 1_000), PAGES]
    way.leave()
    way.run(READ)
    assert pragmas(connection) == [0, 0]


def test_it_rests_for_a_while_where_it_does_not_pay(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, cost = 1_000.0, WORTH_S * 2

    def clock() -> float:
        nonlocal now
        now += cost
        return now

    monkeypatch.setattr(time, "perf_counter", clock)
    way = shortcut(connection, is_reader=True)
    outcomes = [way.run(READ) is not None for _ in range(MEMORY)]
    n_taken = outcomes.index(False)
    assert MEMORY / 2 < n_taken < MEMORY
    assert not any(outcomes[n_taken:])

    now += REST_S
    cost = WORTH_S / 2
    assert all(way.run(READ) is not None for _ in range(4 * MEMORY))


@pytest.mark.usefixtures("still")
def test_a_guess_that_was_wrong_is_not_made_again_soon(
    connection: sqlite3.Connection,
) -> None:
    way = shortcut(connection, is_reader=True)
    started: list[str] = []

    assert way.guess(LONG_READ) is None
    connection.set_trace_callback(started.append)
    assert all(way.guess(LONG_READ) is None for _ in range(TRIED_AGAIN))
    assert started == []
    assert way.guess(READ) is not None
    assert started == [READ.text]
    assert way.guess(LONG_READ) is None  # it was tried again
    assert way.guess(LONG_READ) is None
    assert started == [READ.text, LONG_READ.text]


@pytest.mark.usefixtures("still")
def test_what_was_long_is_forgotten_when_too_much_is(
    connection: sqlite3.Connection,
) -> None:
    way = shortcut(connection, is_reader=True)
    for number in range(TEXTS_KEPT + 1):
        assert way.guess(Statement(f"{LONG_READ.text} -- {number}")) is None
    started: list[str] = []
    connection.set_trace_callback(started.append)

    assert way.guess(Statement(f"{LONG_READ.text} -- {TEXTS_KEPT}")) is None
    assert started == []
    assert way.guess(Statement(f"{LONG_READ.text} -- 0")) is None
    assert len(started) == 1
