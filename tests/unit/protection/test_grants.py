"""What PostgreSQL is told of the rules; that it holds it, integration tests say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataflow.protection import Policy, Protection, allow, deny
from dataflow.protection._grants import _literal
from dataflow.sql import POSTGRESQL

Make = Callable[..., Protection]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (3, "E'3'"),
        (True, "E'True'"),
        ("it's \\ it", "E'it''s \\\\ it'"),
        (b"\x00\xff", "E'\\\\x00ff'"),
        (["a", None, 'b"c'], 'E\'{"a", NULL, "b\\\\"c"}\''),
    ],
)
def test_a_value_of_a_rule_is_a_literal(value: Any, text: str) -> None:
    assert _literal(value) == text


def rights(protection: Protection) -> list[str]:
    return [text for text in protection.sql("app") if text.startswith("GRANT")]


def test_what_nobody_may_do_is_not_granted(make: Make) -> None:
    closed = make(
        Policy.production(
            allow("update", models="Plain", fields="name"),
            allow("delete", models="Plain", when={"principal": "ada"}),
        ),
        dialect=POSTGRESQL,
    )
    names = ["name", "id"]
    nothing = make(deny("update", models="Plain", fields=names), dialect=POSTGRESQL)

    assert [text for text in rights(closed) if '"plains"' in text] == [
        'GRANT SELECT ON TABLE "plains" TO "app"',
        'GRANT UPDATE ("name") ON TABLE "plains" TO "app"',
        'GRANT DELETE ON TABLE "plains" TO "app"',
    ]
    assert not [
        text for text in rights(nothing) if "UPDATE" in text and "plains" in text
    ]
