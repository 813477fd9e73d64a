"""The thread's side of SQLite, in the thread of the test."""

from __future__ import annotations

import sqlite3

import pytest

from dataflow.drivers.sqlite._thread import SqliteThread
from dataflow.sql import Statement


def make() -> SqliteThread:
    return SqliteThread(":memory:", is_reader=False, timeout=0.0, timed=False)


def test_an_opening_abandoned_afterwards_is_closed() -> None:
    thread = make()
    connection = thread.open()
    thread.abandon()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_an_opening_abandoned_before_is_closed() -> None:
    thread = make()
    thread.abandon()
    connection = thread.open()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_query_that_nobody_fetched_from_does_not_keep_from_a_rollback() -> None:
    thread = make()
    connection = thread.open()
    thread.command("CREATE TABLE t (a)")
    thread.begin()
    kept = thread.open_cursor(
        Statement("INSERT INTO t VALUES (1), (2) RETURNING a", returns_rows=True)
    )
    thread.resume()
    thread.roll_back()

    assert kept is not None
    assert not thread.in_transaction
    connection.close()
