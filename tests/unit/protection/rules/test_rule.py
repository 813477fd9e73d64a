from __future__ import annotations

from typing import Any

import pytest

from dataflow.errors import PolicyError
from dataflow.messages import Operation
from dataflow.protection import Policy, Rule, allow, audit, deny, require_approval, warn
from dataflow.protection.rules import actions_of, read_policy, read_rules


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"effect": "denny"}, "did you mean 'deny'"),
        ({"operations": ["delet"]}, "did you mean 'delete'"),
        ({"operations": "bulk_remove"}, "there is no operation"),
        ({"models": 3}, "models is a list of names"),
        ({"models": [3]}, "models is a list of names"),
        ({"max_rows": -1}, "max_rows is a whole number"),
        ({"max_rows": True}, "max_rows is a whole number"),
        ({"max_rows_per_run": "3"}, "max_rows_per_run is a whole number"),
        ({"when": "x"}, "when is a filter"),
        ({"window": "09:00"}, "window is a Window"),
        ({"max_rows": 1, "fields": "a"}, "leave fields out"),
        ({"rate": "often"}, "a rate is written like"),
    ],
)
def test_what_is_no_rule_is_refused(given: dict[str, Any], problem: str) -> None:
    effect = given.pop("effect", "deny")
    with pytest.raises(PolicyError, match=problem):
        Rule(effect, id="r", **given)


@pytest.mark.parametrize("effect", [deny, allow, warn, audit, require_approval])
def test_a_rule_without_an_id_gets_one(effect: Any) -> None:
    rule = effect("delete", models=["A", "B"])

    assert rule.id == f"{rule.effect}-delete-A-B"


@pytest.mark.parametrize(
    ("names", "operation", "action", "covered"),
    [
        ((), "list", "read", True),
        ((), "list", "unmask", False),
        (("unmask",), "list", "unmask", True),
        (("write",), "upsert", "create", True),
        (("write",), "list", "read", False),
        (("create",), "upsert", "create", True),
        (("create",), "upsert", "update", False),
        (("update",), "update", "read", False),
        (("bulk_delete",), "bulk_delete", "delete", True),
        (("bulk_delete",), "delete", "delete", False),
        (("read",), "count", "read", True),
        (("list",), "count", "read", False),
    ],
)
def test_a_rule_is_about_operations_or_about_what_they_do(
    names: tuple[str, ...], operation: str, action: str, *, covered: bool
) -> None:
    assert deny(names).covers(operation, action) is covered


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_does_something(operation: Operation) -> None:
    writes = actions_of(operation) - {"read"}

    assert actions_of(operation)
    assert bool(writes) is operation.is_write


def test_a_policy_has_each_id_once_and_a_default() -> None:
    rule = deny("delete", id="a")

    with pytest.raises(PolicyError, match="two rules of this id"):
        Policy((rule, rule))
    with pytest.raises(PolicyError, match="'allow' or 'deny'"):
        Policy(default="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "name", ["development", "production", "read_only", "maintenance", "business_hours"]
)
def test_a_preset_has_a_name(name: str) -> None:
    assert isinstance(read_policy(name), Policy)


def test_a_policy_is_read_from_what_people_give() -> None:
    rule = deny("delete")
    policy = Policy((rule,))

    assert read_policy(None).rules == ()
    assert read_policy(policy) is policy
    assert read_policy(rule).rules == (rule,)
    assert read_rules([rule]) == (rule,)
    assert (
        policy.with_rules([warn("read")]).without([rule.id]).rules[0].effect == "warn"
    )


@pytest.mark.parametrize("given", ["productoin", 3, ["x"], {"a": 1}])
def test_what_is_no_policy_is_refused(given: object) -> None:
    with pytest.raises(PolicyError, match="production"):
        read_policy(given)
