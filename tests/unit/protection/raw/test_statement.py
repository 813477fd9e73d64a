"""What raw SQL does, told by its text; at its worst where that is not clear."""

from __future__ import annotations

import logging

import pytest

from dataflow.protection.raw import Access, read_statement
from dataflow.sql import POSTGRESQL, SQLITE

Short = tuple[str, str, str]


def told(text: str, dialect: str = "postgresql") -> set[Short]:
    reading = read_statement(text, POSTGRESQL if dialect == "postgresql" else SQLITE)
    assert reading.problem is None, reading.problem
    return {(each.table, each.action, _columns(each)) for each in reading.accesses}


def _columns(access: Access) -> str:
    return "*" if access.columns is None else ",".join(sorted(access.columns))


def problem(text: str, dialect: str = "postgresql") -> str | None:
    chosen = POSTGRESQL if dialect == "postgresql" else SQLITE
    return read_statement(text, chosen).problem


@pytest.mark.parametrize(
    ("text", "accesses"),
    [
        ("SELECT a FROM t", {("t", "read", "a,t")}),
        ("SELECT a FROM t;", {("t", "read", "a,t")}),
        ("SELECT count(*) FROM t", {("t", "read", "t")}),
        ("SELECT * FROM T", {("t", "read", "*")}),
        ('SELECT a FROM "T"', {("T", "read", "a,t")}),
        ("SELECT a FROM public.t", {("t", "read", "a,public,t")}),
        ("SELECT t FROM t", {("t", "read", "*")}),
        ("SELECT b FROM t AS b", {("t", "read", "*")}),
        ("SELECT t.* FROM t", {("t", "read", "*")}),
        ("TABLE t", {("t", "read", "*")}),
        ("SELECT a FROM t NATURAL JOIN u", {("t", "read", "*"), ("u", "read", "*")}),
        ("VALUES (1)", set[Short]()),
        ("SELECT 1 FROM t WHERE lower(b) = $1", {("t", "read", "b,t")}),
        (
            "SELECT 1 UNION SELECT a FROM t",
            {("t", "read", "a,t")},
        ),
        (
            "SELECT (SELECT a FROM t), b FROM u",
            {("t", "read", "a,b,t,u"), ("u", "read", "a,b,t,u")},
        ),
        ("SELECT n FROM unnest($1::int[]) AS n", set[Short]()),
        ("SELECT n FROM generate_series(1, 3) AS n", set[Short]()),
        ("DELETE FROM t", {("t", "delete", "*"), ("t", "read", "t")}),
        (
            "DELETE FROM t USING u WHERE u.a = t.a",
            {("t", "delete", "*"), ("t", "read", "a,t,u"), ("u", "read", "a,t,u")},
        ),
        (
            "UPDATE t SET a = 1, B = 2",
            {("t", "update", "a,b"), ("t", "read", "a,b,t")},
        ),
        (
            "UPDATE t SET (a, b) = (1, 2)",
            {("t", "update", "*"), ("t", "read", "a,b,t")},
        ),
        (
            "INSERT INTO t (a) VALUES (1)",
            {("t", "create", "a"), ("t", "read", "a,t")},
        ),
        ("INSERT INTO t VALUES (1)", {("t", "create", "*"), ("t", "read", "t")}),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING",
            {("t", "create", "a"), ("t", "read", "a,t")},
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
            {
                ("t", "create", "a"),
                ("t", "update", "b"),
                ("t", "read", "a,b,t"),
            },
        ),
        (
            "WITH d AS (DELETE FROM t RETURNING a) SELECT a FROM d",
            {("t", "delete", "*"), ("t", "read", "a,d,t"), ("d", "read", "a,d,t")},
        ),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            {
                ("t", "create", "*"),
                ("t", "update", "*"),
                ("t", "delete", "*"),
                ("t", "read", "a,t,u"),
                ("u", "read", "a,t,u"),
            },
        ),
        (
            "TRUNCATE t",
            {
                ("t", each, "*")
                for each in ("create", "update", "delete", "schema", "read")
            },
        ),
    ],
)
def test_a_statement_tells_tables_actions_and_columns(
    text: str, accesses: set[Short]
) -> None:
    assert told(text) == accesses


def test_sqlite_takes_any_case_and_replaces() -> None:
    replacing = told('INSERT OR REPLACE INTO "T" (a) VALUES ($1)', "sqlite")

    assert {(table, action) for table, action, _ in replacing} == {
        ("t", action) for action in ("create", "update", "delete", "read")
    }


def test_a_name_of_the_statement_itself_is_doubtful_and_not_more() -> None:
    reading = read_statement(
        "WITH t AS (SELECT a FROM u) SELECT a FROM t, main.t", POSTGRESQL
    )

    assert {(each.table, each.is_doubtful) for each in reading.accesses} == {
        ("t", True),
        ("t", False),
        ("u", False),
    }


def test_postgresql_cuts_long_names() -> None:
    ((table, _, _),) = told("TABLE " + "x" * 70)

    assert table == "x" * 63


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1; DELETE FROM t",
        "SELEC 1 FROM",
        "frobnicate",
        "EXPLAIN ANALYZE DELETE FROM t",
        "DO $$ BEGIN DELETE FROM t; END $$",
        "CALL wipe()",
        "COPY t TO '/tmp/t'",
        "SET ROLE postgres",
        "GRANT ALL ON t TO x",
        "LOCK TABLE t",
        "COMMIT",
        "SELECT * INTO copy FROM t",
        "SELECT set_config('a', 'b', false)",
        "SELECT pg_read_file('x')",
        "SELECT nextval('s')",
        "SELECT * FROM dblink('x', 'DELETE FROM t') AS d(a int)",
        "SELECT query_to_xml('DELETE FROM t', true, true, '')",
        "SELECT frob(a) FROM t",
        "DROP FUNCTION f",
        "DROP TABLE t CASCADE",
        "TRUNCATE t CASCADE",
        "WITH x AS (DROP TABLE t) SELECT 1",
        "SELECT a FROM $1",
        "WITH x AS (SELECT 1) SELECT * FROM x, (DROP TABLE t)",
        "SELECT nextval('s') FROM t",
        "CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f()",
        'SELECT a FROM U&"\\0074"',
        "WITH x AS (SELECT 1) INSERT INTO (SELECT 1) VALUES (1)",
    ],
)
def test_whatever_is_not_understood_may_do_anything(text: str) -> None:
    assert problem(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "PRAGMA query_only = OFF",
        "ATTACH 'x' AS y",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_table_info('t')",
        "REPLACE INTO t (a) VALUES (1)",
        "UPDATE OR REPLACE t SET a = 1",
        "VACUUM INTO 'x'",
        "SELECT a FROM 't'",
    ],
)
def test_nor_does_sqlite_get_past(text: str) -> None:
    reading = read_statement(text, SQLITE)
    tables = {each.table for each in reading.accesses}

    assert reading.problem is not None or tables == {"t"}


def test_no_warning_quotes_a_statement(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        problem("CALL wipe('secret value')")

    assert "secret" not in caplog.text
