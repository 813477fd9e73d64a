from __future__ import annotations

import sqlite3
import time

import pytest

from dataflow.sql import POSTGRESQL, SQLITE, Matching
from dataflow.sql.filters.operators._match import MATCHES, glob


@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("", ""),
        ("a%", "a*"),
        ("_%_", "?*?"),
        (r"\%\_", "%_"),
        (r"\\", "\\"),
        (r"\a", "a"),
        ("*?[", "[*][?][[]"),
        (r"\*\?\[", "[*][?][[]"),
        ("]a-b^!", "]a-b^!"),
        ("é\U0001f600_", "é\U0001f600?"),
    ],
)
def test_like_becomes_glob(like: str, expected: str) -> None:
    assert glob(like) == expected


def test_both_databases_know_every_matching() -> None:
    for dialect in (POSTGRESQL, SQLITE):
        assert MATCHES[dialect.name].keys() == set(Matching)


def test_a_pattern_of_many_stars_is_quick() -> None:
    connection = sqlite3.connect(":memory:")
    start = time.perf_counter()
    query = "SELECT ?1 GLOB ?2"
    row = connection.execute(query, ("a" * 5_000, glob("%a" * 2_000 + "b"))).fetchone()
    connection.close()

    assert row == (0,)
    assert time.perf_counter() - start < 5
