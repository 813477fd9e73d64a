"""What of the rules becomes statements; that databases hold them, others say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field as made_by
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from dataflow.models import Model, declare
from dataflow.protection import Policy, Protection, allow, deny, require_approval
from dataflow.sql import POSTGRESQL, SQLITE, Dialect, Touch

Make = Callable[..., Protection]

BOTH = pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])


class Thing:
    name: str
    tags: list[str] = made_by(default_factory=list[str])
    size: int = made_by(default_factory=int)
    extra: dict[str, Any] | None = None


THING: Model = declare(Thing)


def made(policy: object, dialect: Dialect, model: Model = THING) -> list[str]:
    protection = Protection(policy, "shop.db", dialect)
    protection.declare(model)
    return protection.sql()


@BOTH
@pytest.mark.parametrize("name", ["size", "tags", "id"])
def test_whether_a_value_was_made_or_given_is_not_known(
    dialect: Dialect, name: str
) -> None:
    statements = made(deny("create", fields=name, id="r"), dialect)

    assert (
        f"-- not held by the database: r: create of Thing: whether {name} of a new row "
        "was given, or made for it"
    ) in statements
    assert not [each for each in statements if "CREATE" in each]


@BOTH
def test_a_new_row_is_given_what_it_has_no_default_for(dialect: Dialect) -> None:
    (text,) = (
        each
        for each in made(deny("create", fields="name"), dialect)
        if each.startswith(("CREATE TRIGGER", "CREATE OR REPLACE FUNCTION"))
        and ("RAISE" in each)
    )

    assert "TRUE" in text


@BOTH
def test_values_that_are_made_may_be_left_out_of_what_is_allowed(
    dialect: Dialect,
) -> None:
    policy = Policy.production(allow("create", fields=["name", "extra"]))
    (text,) = (
        each
        for each in made(policy, dialect)
        if "refused create" in each and "RAISE" in each
    )

    assert '"size"' not in text
    assert '"tags"' not in text


@BOTH
def test_names_that_are_too_long_are_cut(dialect: Dialect) -> None:
    long = replace(THING, table="t" * 60)
    names = [
        each.split('"')[1]
        for each in made(deny("delete"), dialect, long)
        if '"' in each
    ]

    assert all(len(name) <= 63 for name in names)
    assert all(name.startswith("dataflow_guard_") for name in names)


def test_a_table_is_named_with_its_schema() -> None:
    elsewhere = replace(THING, schema="shop")
    protection = Protection(deny("delete"), "shop.db", POSTGRESQL)
    protection.declare(elsewhere)
    statements = protection.sql("app")

    assert 'REVOKE ALL ON TABLE "shop"."things" FROM "app"' in statements
    assert 'DROP TRIGGER IF EXISTS "dataflow_guard_things_row" ON "shop"."things"' in (
        statements
    )


@BOTH
def test_what_nodes_cannot_write_has_no_triggers(dialect: Dialect) -> None:
    view = replace(THING, unavailable={"create": "it is a view"})
    statements = made(deny("write"), dialect, view)

    assert not [each for each in statements if "TRIGGER" in each]
    assert (
        "-- not held by the database: Thing: it is a view, or has no key: see its tables"
    ) in statements


@BOTH
def test_nothing_is_held_without_rules(dialect: Dialect) -> None:
    assert not [each for each in made(None, dialect) if "CREATE" in each]


@BOTH
def test_leave_that_hangs_on_who_asks_is_given_to_everybody(dialect: Dialect) -> None:
    clerks = [{"principal": "ada"}, {"tenant": {"$ne": "acme"}}]
    policy = Policy.production(
        allow("delete", when={"$or": clerks}, id="clerks"),
        allow("update", when={"new.name": {"$eq": {"$field": "principal"}}}, id="own"),
        require_approval("create", id="asked"),
    )
    statements = made(policy, dialect)
    rest = ": the database lets it pass for everybody"

    assert (
        f"-- not held by the database: clerks: it hangs on who asks{rest}" in statements
    )
    assert f"-- not held by the database: own: it hangs on who asks{rest}" in statements
    assert not [each for each in statements if "refused delete" in each]
    assert not [each for each in statements if "refused create" in each]


@BOTH
def test_a_reason_ends_no_text(dialect: Dialect) -> None:
    statements = made(
        [
            deny("delete", reason="it's\n$dataflow$ over", id="a'b\nc"),
            deny("create", when={"principal": "x"}, id="d\nDROP TABLE things"),
        ],
        dialect,
    )

    assert all("\n" not in each for each in statements if each.startswith("--"))
    assert [each for each in statements if "a''b" in each]


def test_what_a_database_does_for_a_model_that_came_later_is_judged(
    make: Make, ask: Any
) -> None:
    protection = make(deny("delete", models="Plain", id="kept"), dialect=POSTGRESQL)
    envelope = ask("create", model="Ghost")
    snapshot = protection._current  # of before the model came
    envelope.judged = snapshot.judged
    wall = snapshot.judged.wall
    assert wall is not None
    permits = wall(envelope)

    assert permits(Touch("read", "items")) is None
    assert permits(Touch("create", "dataflow_audit")) is None
    assert permits(Touch("create", "pg_class")) is None
    assert permits(Touch("delete", "plains")).rule == "kept"


def test_what_a_message_does_itself_is_permitted(make: Make, ask: Any) -> None:
    protection = make(deny("update", models="Item", id="kept"), dialect=POSTGRESQL)
    snapshot = protection._current  # as above
    wall = snapshot.judged.wall
    assert wall is not None
    changing = wall(ask("bulk_create", parameters={"conflict_resolution": "upsert"}))
    others = wall(ask("bulk_create"))

    assert changing(Touch("update", "items")) is None
    assert others(Touch("create", "items")) is None
    assert others(Touch("update", "items")).rule == "kept"


class Kept:
    __dataflow__: ClassVar = {"soft_delete": True}

    name: str


KEPT: Model = declare(Kept)


def test_a_delete_that_keeps_rows_is_an_update_to_the_database(ask: Any) -> None:
    protection = Protection(deny("update", id="r"), "shop.db", POSTGRESQL)
    protection.declare(KEPT)
    wall = protection._current.judged.wall  # as above
    assert wall is not None

    assert wall(ask("delete", model="Kept"))(Touch("update", KEPT.table)) is None


def test_leave_for_some_rows_is_held_by_rows() -> None:
    policy = Policy.production(allow("update", when={"old.name": "a"}))
    (text,) = (each for each in made(policy, SQLITE) if "refused update" in each)

    assert """NOT (("old"."name" = 'a') IS TRUE)""" in text


def test_a_statement_that_only_reads_is_held_to_that_by_postgresql() -> None:
    protection = Protection(deny("delete", id="r"), "shop.db", POSTGRESQL)
    protection.declare(THING)
    said = protection.explain(parameters={"query": "SELECT name FROM things"})

    assert said.effect == "allow"


@BOTH
def test_seeing_masked_fields_is_about_messages(dialect: Dialect) -> None:
    statements = made([deny("unmask", id="u"), deny("read", id="nobody")], dialect)
    said = " ".join(statements)

    assert "u: it is about messages to nodes, not about rows of tables" in said
    assert "nobody: it is about reading, where only rights of a role count" in said
