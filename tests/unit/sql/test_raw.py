from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import pytest

from dataflow.sql import POSTGRESQL, SQLITE, raw_statement


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 2


class Flag(Enum):
    ON = True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT $1, $2", "SELECT ?1, ?2"),
        ("SELECT $12", "SELECT ?12"),
        ("SELECT '$1', $1", "SELECT '$1', ?1"),
        ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', ?1"),
        ('SELECT "$1" FROM "a""$2"', 'SELECT "$1" FROM "a""$2"'),
        ("SELECT `$1`, $1", "SELECT `$1`, ?1"),
        ("SELECT 1 -- $1\n, $2", "SELECT 1 -- $1\n, ?2"),
        ("SELECT /* $1 */ $2", "SELECT /* $1 */ ?2"),
        ("SELECT /* $1", "SELECT /* $1"),
        ("SELECT a$1 FROM t", "SELECT a$1 FROM t"),
        ("SELECT ($1)", "SELECT (?1)"),
        ("SELECT a=$1", "SELECT a=?1"),
    ],
)
def test_only_placeholders_become_placeholders(text: str, expected: str) -> None:
    assert raw_statement(text, (), SQLITE).text == expected
    assert raw_statement(text, (), POSTGRESQL).text == text


@pytest.mark.parametrize(
    ("text", "returns_rows"),
    [
        ("SELECT 1", True),
        ("SELECT 1 AS n", True),
        ("  select 1", True),
        ("-- first\nSELECT 1", True),
        ("/* first */ SELECT 1", True),
        ("(SELECT 1) UNION (SELECT 2)", True),
        ("VALUES (1)", True),
        ("TABLE users", True),
        ("EXPLAIN DELETE FROM t", True),
        ("PRAGMA table_info(t)", True),
        ("INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t VALUES (1) RETURNING id", True),
        ("INSERT INTO t VALUES ('returning')", False),
        ('UPDATE t SET "returning" = 1', False),
        ("DELETE FROM t -- returning", False),
        ("DELETE FROM t WHERE id IN (SELECT id FROM u) returning id", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", False),
        ("WITH a AS (SELECT 1) UPDATE t SET b = 1 RETURNING b", True),
        ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", True),
        ("WITH update AS (SELECT 1) SELECT * FROM update_log", True),
        ("CREATE TABLE t (a INT)", False),
        ("", False),
        ("-- nothing", False),
        (")SELECT", True),
    ],
)
def test_a_statement_tells_whether_it_yields_rows(
    text: str, *, returns_rows: bool
) -> None:
    assert raw_statement(text, (), POSTGRESQL).returns_rows is returns_rows


INSTANT = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (5, 5),
        ("a", "a"),
        (b"a", b"a"),
        (1.5, 1.5),
        (True, 1),
        (INSTANT, "2026-01-02T02:00:00.000000+00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000000+00:00"),
        (datetime(2026, 1, 2), "2026-01-02T00:00:00.000000"),  # noqa: DTZ001
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00.000000"),
        (timedelta(seconds=1), 1_000_000),
        (Decimal("1E+2"), "100"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        ([1, "a"], '[1,"a"]'),
        ((1, 2), "[1,2]"),
        (Color.RED, "red"),
        (Level.HIGH, 2),
        (Flag.ON, 1),
    ],
    ids=str,
)
def test_sqlite_gets_values_as_models_store_them(value: object, stored: object) -> None:
    (parameter,) = raw_statement("SELECT $1", (value,), SQLITE).parameters

    assert parameter == stored
    assert type(parameter) is type(stored)


def test_a_subclass_is_stored_like_its_class() -> None:
    class OwnUuid(UUID):
        """As asyncpg gives."""

    (parameter,) = raw_statement("SELECT $1", (OwnUuid(int=5),), SQLITE).parameters

    assert parameter == str(UUID(int=5))


def test_postgresql_gets_values_as_they_are_but_the_value_of_an_enum() -> None:
    values = (Color.RED, INSTANT, {"a": 1}, [1])
    statement = raw_statement("SELECT $1", iter(values), POSTGRESQL)

    assert statement.parameters == ("red", INSTANT, {"a": 1}, [1])
