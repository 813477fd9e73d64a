"""Raw SQL about tables that a database, or this library, keeps for itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataflow.protection import Policy, Protection, allow, deny
from dataflow.sql import POSTGRESQL, SQLITE, Dialect

Make = Callable[..., Protection]

READS = Policy.production(allow("read"))


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
@pytest.mark.parametrize(
    ("query", "effect"),
    [
        ("SELECT name FROM dataflow_models", "allow"),
        ("SELECT new FROM dataflow_audit", "deny"),  # which holds masked values
        ("DELETE FROM dataflow_audit", "deny"),
        ("DROP TABLE pg_class", "deny"),
        ("DROP TABLE sqlite_master", "deny"),
    ],
)
def test_they_may_be_read_as_far_as_they_hold_no_rows(
    make: Make, dialect: Dialect, query: str, effect: str
) -> None:
    said = make(READS, dialect=dialect).explain(parameters={"query": query})

    assert said.effect == effect


def test_records_of_the_audit_may_be_read_by_who_may_read_every_field(
    make: Make,
) -> None:
    rules = [allow("unmask"), deny("delete", id="kept")]
    query = "SELECT new FROM dataflow_audit"
    said = make(rules).explain(parameters={"query": query})

    assert said.effect == "allow"


def test_what_is_no_text_is_left_to_the_node(make: Make) -> None:
    said = make(deny("write")).explain(parameters={"query": 3})

    assert said.effect == "allow"
