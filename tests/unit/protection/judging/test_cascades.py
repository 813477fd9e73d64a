"""What a change of keys does elsewhere, and which keys a message may change."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow import DataFlow, field
from dataflow.messages import Operation, Request
from dataflow.models import Model
from dataflow.protection.judging._cascades import (
    Reach,
    changed_fields,
    reached_by_update,
)


@pytest.fixture
def boss() -> Model:
    """Give a model whose rows pass their keys on to two others, which agree."""
    db = DataFlow("sqlite:///:memory:")

    @db.model
    class Boss:
        code: str = field(unique=True)

    @db.model
    class Team:
        boss_code: str = field(references="Boss.code", on_update="cascade", unique=True)

    @db.model
    class Desk:
        boss_code: str = field(references="Boss.code", on_update="cascade")
        team_code: str = field(
            references="Team.boss_code", on_update="cascade", relation="team"
        )

    return db["Boss"].model


def test_who_is_reached_twice_is_told_once(boss: Model) -> None:
    reached = reached_by_update(boss, None)

    assert sorted((each.model, *(each.fields or ())) for each in reached) == [
        ("Desk", "boss_code"),
        ("Desk", "team_code"),
        ("Team", "boss_code"),
    ]
    assert len(set(reached)) == len(reached)


def test_keys_that_go_round_end() -> None:
    db = DataFlow("sqlite:///:memory:")

    @db.model
    class Link:
        code: str = field(
            references="Link.code", on_update="cascade", relation="same", unique=True
        )

    assert reached_by_update(db["Link"].model, None) == (
        Reach("Link", "update", frozenset({"code"})),
    )


MESSAGES: list[tuple[dict[str, Any], set[str] | None]] = [
    ({"data": [5, {"code": "a", 6: 7}]}, {"code"}),
    ({"data": [{"code": "a", "id": 1}]}, {"code"}),
    ({"data": [{"code": "a", "id": 1}], "conflict_on": "code"}, {"id"}),
    ({"data": [{"code": "a"}], "key_fields": ["code"]}, set()),
    ({"data": iter([])}, None),
]


@pytest.mark.parametrize(("parameters", "names"), MESSAGES)
def test_a_message_may_change_what_its_rows_name(
    boss: Model, parameters: dict[str, Any], names: set[str] | None
) -> None:
    message = Request(
        node="BossBulkUpsertNode",
        model="Boss",
        operation=Operation.BULK_UPSERT,
        parameters=parameters,
    )

    assert changed_fields(message, boss) == names
