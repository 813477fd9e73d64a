"""What PostgreSQL is told of the rules; that it holds it, integration tests say."""

from __future__ import annotations

from collections.abc import Callable

from dataflow.protection import Policy, Protection, allow, deny
from dataflow.sql import POSTGRESQL

Make = Callable[..., Protection]


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
