"""Rules before messages, without a database: what is decided, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.actors import Turn
from dataflow.errors import PolicyError
from dataflow.messages import Envelope, Message
from dataflow.models import declare
from dataflow.protection import (
    Policy,
    Protection,
    Recorded,
    Rule,
    Window,
    allow,
    audit,
    deny,
    require_approval,
    warn,
)
from dataflow.protection._sender import Sender
from dataflow.sql import POSTGRESQL

Make = Callable[..., Protection]


class Item:
    name: str
    status: str = "open"


class Plain:
    name: str


ITEM, PLAIN = declare(Item), declare(Plain)


def test_nothing_is_said_without_rules(make: Make) -> None:
    assert make(None).explain(model="Plain", operation="delete").effect == "allow"


def test_the_most_severe_effect_decides_whatever_the_order(make: Make) -> None:
    rules = [
        allow("delete"),
        audit("delete"),
        warn("delete"),
        require_approval("delete"),
        deny("delete"),
    ]
    effects: list[str] = []
    while rules:
        said = make(rules).explain(model="Plain", operation="delete")
        turned = make(rules[::-1]).explain(model="Plain", operation="delete")
        assert turned.effect == said.effect
        effects.append(said.effect)
        rules = [each for each in rules if each.effect != said.effect]

    assert effects == ["deny", "require_approval", "warn", "audit", "allow"]


RULES = st.builds(
    Rule,
    st.sampled_from(["deny", "require_approval", "warn", "audit", "allow"]),
    st.lists(
        st.sampled_from(["write", "read", "create", "update", "bulk_delete", "list"]),
        max_size=2,
    ),
    st.lists(st.sampled_from(["Item", "Plain"]), max_size=2),
    st.lists(st.just("name"), max_size=1),
    when=st.sampled_from(
        [
            None,
            {"principal": "ada"},
            {"context.role": {"$ne": "clerk"}},
            {"old.name": "x"},
            {"new.name": {"$field": "old.name"}},
        ]
    ),
)
ASKED = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["Item", "Plain"]),
        "operation": st.sampled_from(
            ["create", "update", "delete", "list", "upsert", "bulk_delete"]
        ),
        "principal": st.sampled_from([None, "ada", "bob"]),
        "context": st.sampled_from([{}, {"role": "clerk"}]),
    }
)
SEVERE = {
    "allow": 0,
    "audit": 1,
    "warn": 2,
    "conditional": 3,
    "require_approval": 4,
    "deny": 5,
}


def numbered(rules: list[Rule]) -> list[Rule]:
    return [
        Rule(
            each.effect,
            each.operations,
            each.models,
            each.fields,
            when=each.when,
            id=str(number),
        )
        for number, each in enumerate(rules)
    ]


def protection_of(rules: list[Rule], default: Any) -> Protection:
    protection = Protection(Policy(tuple(rules), default), "shop.db", POSTGRESQL)
    protection.declare(ITEM)
    protection.declare(PLAIN)
    return protection


@settings(max_examples=150)
@given(
    st.lists(RULES, max_size=5),
    ASKED,
    st.randoms(use_true_random=False),
    st.sampled_from(["allow", "deny"]),
)
def test_shuffling_rules_never_changes_a_decision(
    rules: list[Rule], asked: dict[str, Any], random: Any, default: str
) -> None:
    rules = numbered(rules)
    before = protection_of(rules, default).explain(**asked)
    random.shuffle(rules)
    after = protection_of(rules, default).explain(**asked)

    assert after.effect == before.effect
    assert {*after.rules} == {*before.rules}
    assert {*after.conditional} == {*before.conditional}


@settings(max_examples=150)
@given(st.lists(RULES, max_size=4), RULES, ASKED, st.sampled_from(["allow", "deny"]))
def test_adding_a_denial_never_allows(
    rules: list[Rule], more: Rule, asked: dict[str, Any], default: str
) -> None:
    rules = numbered(rules)
    denial = Rule(
        "deny", more.operations, more.models, more.fields, when=more.when, id="more"
    )
    before = protection_of(rules, default).explain(**asked)
    after = protection_of([*rules, denial], default).explain(**asked)

    assert SEVERE[after.effect] >= SEVERE[before.effect]


def test_what_no_rule_allows_is_refused_under_production(make: Make) -> None:
    protection = make(Policy.production(allow("create", models="Plain")))

    assert protection.explain(model="Plain", operation="create").effect == "allow"
    assert protection.explain(model="Plain", operation="list").effect == "allow"
    for operation in ("update", "upsert", "bulk_upsert"):
        said = protection.explain(model="Plain", operation=operation)
        assert (said.effect, said.rules) == ("deny", ("default",))


def test_an_upsert_is_a_create_and_an_update(make: Make) -> None:
    protection = make(deny("update"))
    upserting = {"conflict_resolution": "upsert"}

    def effect(operation: str, **parameters: Any) -> str:
        return protection.explain(
            model="Plain", operation=operation, parameters=parameters
        ).effect

    assert effect("upsert") == effect("bulk_upsert") == "deny"
    assert effect("bulk_create", **upserting) == "deny"
    assert effect("bulk_create") == effect("create") == "allow"


def test_a_rule_is_for_the_databases_it_names(make: Make) -> None:
    rule = deny("write", connections="prod-*:5432/*")

    for connection, effect in (("PROD-1:5432/shop", "deny"), ("dev:5432/a", "allow")):
        protection = make(rule, connection=connection)
        assert protection.explain(model="Plain", operation="create").effect == effect


def test_a_rule_holds_in_its_window_and_says_so_outside(make: Make, clock: Any) -> None:
    protection = make(Policy.business_hours(zone="Europe/Zurich"))
    inside = protection.explain(model="Plain", operation="create")
    clock.at += timedelta(hours=12)
    outside = protection.explain(model="Plain", operation="create")

    assert (inside.effect, outside.effect) == ("allow", "deny")
    assert inside.near_misses[0].why == "it holds at another time"


def test_near_misses_say_why_a_rule_does_not_hold(make: Make) -> None:
    protection = make(
        [
            deny("delete", when={"principal": "bob"}, id="bob"),
            deny("delete", rate="1/hour", id="often"),
            warn("delete", id="warned"),
            require_approval("delete", id="asked"),
        ]
    )
    said = protection.explain(model="Plain", operation="delete", principal="ada")

    assert said.effect == "require_approval"
    assert {each.rule: each.why for each in said.near_misses} == {
        "bob": "its condition does not hold",
        "often": "the rate of 1/hour decides",
    }


def test_a_milder_rule_is_told_as_a_near_miss(make: Make) -> None:
    protection = make([deny("delete", id="no"), allow("delete", id="yes")])
    said = protection.explain(model="Plain", operation="delete")

    assert [(each.rule, each.why) for each in said.near_misses] == [
        ("yes", "another rule is more severe")
    ]


def test_a_condition_that_fails_denies(make: Make, ask: Any) -> None:
    class Broken(dict[str, Any]):
        def get(self, *_: object) -> Any:
            raise RuntimeError

        def __getitem__(self, name: str) -> Any:
            raise RuntimeError

        def __contains__(self, name: object) -> bool:
            raise RuntimeError

    protection = make([deny("delete", when={"context.role": "x"})])
    closed = make(Policy((allow("delete", when={"context.role": "x"}),), "deny"))
    message = ask("delete", "Plain")
    message.scope.context = Broken(role="y")

    assert protection.explain(message).effect == "deny"
    assert closed.explain(message).effect == "deny"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (deny(models="Itme"), "did you mean 'Item'"),
        (deny(fields="statsu"), "did you mean 'status'"),
        (deny(fields="statsu", models=("Item", "Plain")), "did you mean 'status'"),
        (deny(when={"principle": "x"}), "did you mean 'principal'"),
        (deny(when={"old.statsu": "x"}), "old.status"),
    ],
)
def test_a_typo_in_a_rule_is_found_at_the_start(
    make: Make, rule: Rule, problem: str
) -> None:
    protection = make(rule)

    for _ in range(2):
        with pytest.raises(PolicyError, match=problem):
            protection.check()


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (deny(fields="statsu", models="Item"), "did you mean 'status'"),
        (deny(models="Item", when={"old.statsu": "x"}), "old.status"),
        (deny(models="Item", when={"old.price": "x"}), "its condition cannot"),
        (deny(models="Item", when={"old.price": 1}, max_rows=3), "leave old and new"),
        (allow("unmask", models="Item", when={"old.price": 1}), "leave old and new"),
    ],
)
def test_a_wrong_name_for_a_known_model_is_refused_when_it_is_declared(
    make: Make, rule: Rule, problem: str
) -> None:
    with pytest.raises(PolicyError, match=problem):
        make(rule)


def test_a_rule_about_rows_is_for_the_models_that_have_these_fields(
    make: Make,
) -> None:
    protection = make(deny("update", when={"old.status": "closed"}))
    protection.check()

    assert protection.explain(model="Item", operation="update").conditional[0] == (
        "deny-update"
    )
    assert protection.explain(model="Plain", operation="update").effect == "allow"


def test_what_the_database_is_told_is_told(make: Make) -> None:
    protection = make(deny("read", models="Item", when={"old.status": "hidden"}))
    said = protection.explain(model="Item", operation="list")

    assert said.effect == "conditional"
    assert said.pushed_down == ('WHERE ("status" = ?1) IS NOT TRUE',)


def test_raw_sql_is_explained(make: Make) -> None:
    protection = make([deny("delete", models="Item", id="no"), audit("read")])
    denied = protection.explain(parameters={"query": "DELETE FROM items"})
    read = protection.explain(parameters={"query": "SELECT name FROM items"})
    written = protection.explain(parameters={"query": "UPDATE plains SET name = '1'"})

    assert (denied.effect, denied.rules) == ("deny", ("no",))
    assert denied.reason is not None
    assert "items" not in denied.reason
    assert read.pushed_down == ("a read-only transaction",)
    assert written.pushed_down == ()


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"operation": "remove"}, "there is no operation"),
        ({"model": "Itme"}, "did you mean 'Item'"),
    ],
)
def test_only_what_there_is_can_be_explained(
    make: Make, asked: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PolicyError, match=problem):
        make(None).explain(**asked)


def test_the_version_tells_policies_apart_whatever_their_order(make: Make) -> None:
    rules = [deny("delete", window=Window()), warn("read")]
    one, other = make(rules), make(rules[::-1])
    third = make(rules[:1])

    assert one.version == other.version
    assert one.version != third.version
    assert "deny-delete" in repr(one)
    assert "no rules" in repr(make(None))


def test_a_rule_about_rows_counts_for_tables_of_no_model(make: Make) -> None:
    rules = [
        deny("update", when={"old.status": "closed"}, id="rows"),
        allow("delete", when={"old.status": "closed"}, id="some"),
        allow("read", id="reading"),
        deny("schema", id="schema"),
    ]
    open_, closed = make(rules), make(Policy(tuple(rules), "deny"))

    def effect(protection: Protection, query: str) -> tuple[str, tuple[str, ...]]:
        said = protection.explain(parameters={"query": query})
        return said.effect, said.rules

    assert effect(open_, "UPDATE legacy SET a = 1") == ("deny", ("rows",))
    assert effect(open_, "DELETE FROM legacy")[0] == "allow"
    assert effect(closed, "DELETE FROM legacy") == ("deny", ("default",))
    assert effect(closed, "SELECT a FROM legacy")[0] == "allow"


def test_fields_that_may_not_be_read_may_not_be_read_by_raw_sql(make: Make) -> None:
    protection = make(deny("read", fields="status", id="no-status"))
    said = protection.explain(parameters={"query": "SELECT status FROM items"})
    other = protection.explain(parameters={"query": "SELECT name FROM items"})
    legacy = protection.explain(parameters={"query": "SELECT status FROM legacy"})

    assert said.effect == "deny"
    assert other.effect == legacy.effect == "allow"


def test_records_are_judged_at_their_time_and_rate(make: Make, clock: Any) -> None:
    protection = make(None)
    records = [
        Recorded(
            model="Plain",
            operation="create",
            effect="allow",
            at=clock.at + timedelta(hours=hours),
        )
        for hours in (0, 0, 12)
    ]
    by_rate = protection.simulate(deny("create", rate="1/hour"), records)
    by_hour = protection.simulate(Policy.business_hours(), records)

    assert [change.recorded for change in by_rate] == [records[1]]
    assert [change.recorded for change in by_hour] == [records[2]]


def test_a_message_is_told_from_others_whatever_it_holds(make: Make, ask: Any) -> None:
    protection = make(require_approval("delete", id="two"))
    prints: list[str] = []
    for ids in ([1], {1, 2}, {2, 1}, iter([1]), iter([2]), [timedelta(1)], [1j]):
        message = ask("bulk_delete", "Plain", {"ids": ids})
        sender = Sender(message, protection._around, (), print)  # its part
        prints.append(sender.fingerprint)

    assert prints[1] == prints[2]
    assert prints[3] == prints[4]
    assert len(set(prints)) == 5


def test_rules_that_hold_at_different_times_are_judged_together(
    make: Make, clock: Any
) -> None:
    past = Window(until=clock.at - timedelta(days=1))
    future = Window(since=clock.at + timedelta(days=1))
    protection = make(
        [deny("create", window=past), deny("create", window=future, id="2")]
    )
    effects: list[str] = []
    for days in (-2, 2, 2):
        clock.at += timedelta(days=days)
        effects.append(protection.explain(model="Plain", operation="create").effect)

    assert effects == ["deny", "allow", "deny"]


@pytest.mark.parametrize(
    ("rule", "operation", "instead"),
    [
        (deny("read"), "list", "lift the rule"),
        (deny("create"), "create", "lift the rule, or only read"),
        (deny("create", rate="0/day"), "create", "stay within 0/day"),
        (deny("create", when={"principal": None}), "create", "its condition does not"),
        (deny("create", window=Window()), "create", "come at another time"),
    ],
)
async def test_a_refusal_says_what_would_be_allowed(
    make: Make, ask: Any, rule: Rule, operation: str, instead: str
) -> None:
    message = ask(operation, "Plain")
    layer = make(rule).layer

    async def never(turn: Turn) -> None:
        raise AssertionError(turn)

    await layer(Turn("/a", [message]), never)

    assert instead in str(message.error)
    assert rule.id in str(message.error)


async def test_what_is_no_request_or_was_answered_is_none_of_the_rules_business(
    make: Make, ask: Any
) -> None:
    other, done = Envelope(message=Message()), ask("create", "Plain")
    done.reply(1)
    seen: list[Envelope] = []

    async def see(turn: Turn) -> None:
        seen.extend(turn)

    await make(deny()).layer(Turn("/a", [other, done]), see)

    assert seen == [other]
    assert done.error is None


def test_raw_sql_is_explained_without_noting_or_counting(make: Make) -> None:
    rules = [
        warn("update", models="Item", when={"old.status": "x"}, id="noted"),
        deny("write", rate="1/day", id="slow"),
        deny("delete", max_rows=1, id="few"),
    ]
    protection = make(rules)

    def effect(query: str) -> str:
        return protection.explain(parameters={"query": query}).effect

    both = "WITH x AS (UPDATE plains SET name = '1' RETURNING 1) UPDATE items SET name = '2'"
    assert [effect("UPDATE items SET name = '1'") for _ in range(3)] == ["allow"] * 3
    assert effect(both) == "allow"
    assert effect("WITH items2 AS (SELECT 1 AS a) SELECT a FROM items2") == "allow"
    assert effect("CALL something()") == "deny"
    alone = Protection(warn("schema"), "shop.db", POSTGRESQL)
    alone.declare(PLAIN)
    assert alone.explain(parameters={"query": "VACUUM"}).effect == "warn"


def test_a_condition_with_a_name_that_is_none_is_refused(make: Make) -> None:
    with pytest.raises(PolicyError, match="its condition cannot be used"):
        make(deny(models="Item", when={3: "x"}))  # pyright: ignore[reportArgumentType]


def test_a_policy_without_models_starts() -> None:
    protection = Protection(deny("update", fields="x"), "shop.db", POSTGRESQL)
    protection.check()
    protection.protect(deny("create", fields="y"))

    assert len(protection.policy.rules) == 2


def test_a_rule_about_who_asks_counts_for_tables_of_no_model(make: Make) -> None:
    protection = make(deny("update", when={"principal": None}, id="known"))
    query = {"query": "UPDATE legacy SET a = 1"}

    assert protection.explain(parameters=query).effect == "deny"
    assert protection.explain(parameters=query, principal="ada").effect == "allow"


def test_rows_of_what_is_not_understood_cannot_be_counted() -> None:
    protection = Protection(deny("delete", max_rows=1), "shop.db", POSTGRESQL)
    protection.declare(PLAIN)
    said = protection.explain(parameters={"query": "VACUUM"})

    assert (said.effect, said.rules) == (
        "deny",
        ("a statement that is not understood",),
    )


def test_a_rate_counts_within_its_window_only(make: Make, clock: Any) -> None:
    closed = Window(until=clock.at)
    protection = make(deny("create", rate="0/day", window=closed))

    assert protection.explain(model="Plain", operation="create").effect == "allow"


async def test_a_turn_is_judged_as_of_one_moment(make: Make, ask: Any) -> None:
    protection = make([deny("create", window=Window(start="00:00", end="01:00"))])
    first, *others = [ask("create", "Plain") for _ in range(3)]
    seen: list[Envelope] = []

    async def see(turn: Turn) -> None:
        seen.extend(turn)

    await protection.layer(Turn("/a", [first]), see)
    await protection.layer(Turn("/a", others), see)

    assert seen == [first, *others]


async def test_what_may_have_to_be_approved_goes_on_under_terms(
    make: Make, ask: Any
) -> None:
    rule = require_approval("update", models="Item", when={"old.status": "closed"})
    message = ask("update", "Item", {"id": 1, "name": "x"})
    seen: list[Envelope] = []

    async def see(turn: Turn) -> None:
        seen.extend(turn)

    await make(rule).layer(Turn("/a", [message]), see)

    assert seen == [message]
    assert not message.terms.is_static
