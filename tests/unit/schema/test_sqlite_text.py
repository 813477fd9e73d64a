"""What only the text of a table of SQLite says."""

from __future__ import annotations

import pytest

from dataflow.schema.reading._sqlite_text import read_index, read_table


def test_a_table_made_of_a_query_is_plain_columns() -> None:
    said = read_table("CREATE TABLE x(a INT, b TEXT)")

    assert sorted(said.columns) == ["a", "b"]
    assert said.checks == ()


@pytest.mark.parametrize(
    "text", ["CREATE VIRTUAL TABLE t USING fts5(a, b)", "CREATE TABLE t", "", "("]
)
def test_a_text_without_columns_says_nothing(text: str) -> None:
    assert read_table(text).columns == {}


def test_a_constraint_is_no_column_and_a_quoted_column_no_constraint() -> None:
    said = read_table(
        'CREATE TABLE t ("check" INT, `primary` INT, [unique] INT, '
        "CONSTRAINT c CHECK (a > ','), FOREIGN KEY (a, b) REFERENCES x)"
    )

    assert sorted(said.columns) == ["check", "primary", "unique"]
    assert said.checks == (("c", "a > ','"),)
    assert said.foreign_keys == {("a", "b"): (None, False)}


def test_names_in_quotes_are_read_without_them() -> None:
    said = read_table("CREATE TABLE t (\"a\"\"b\" INT CONSTRAINT 'u' UNIQUE, 'c' INT)")

    assert sorted(said.columns) == ['a"b', "c"]
    assert said.uniques == {('a"b',): "u"}


def test_a_reference_ends_where_the_next_constraint_begins() -> None:
    said = read_table(
        "CREATE TABLE t (a INT REFERENCES x ON DELETE SET DEFAULT MATCH FULL "
        "DEFERRABLE DEFAULT 5 COLLATE NOCASE, b INT REFERENCES x NOT NULL "
        "CHECK (b > 0))"
    )

    assert said.foreign_keys == {("a",): (None, True), ("b",): (None, False)}
    assert said.columns["a"].collation == "NOCASE"
    assert said.checks == ((None, "b > 0"),)


def test_an_index_is_its_parts_and_its_condition() -> None:
    said = read_index(
        "CREATE INDEX i ON t (abs(a) DESC, lower(b) ASC, c) WHERE a > 0 AND b < ')'"
    )

    assert said.parts == ("abs(a)", "lower(b)", "c")
    assert said.where == "a > 0 AND b < ')'"
    assert read_index("CREATE INDEX i").parts == ()
