"""Rules that come and go, who asks, leave to pass by, and what is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from dataflow import DataFlow, Workflow, field
from dataflow.errors import (
    ApprovalRequiredError,
    BlockedError,
    ModelError,
    PolicyError,
    RowLimitError,
    WorkflowError,
)
from dataflow.protection import (
    Approval,
    Policy,
    allow,
    audit,
    deny,
    require_approval,
    warn,
)

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]

ADA = deny("write", models="Item", when={"principal": {"$ne": "ada"}}, id="ada")


async def refused(call: Awaitable[Any]) -> str | None:
    try:
        await call
    except BlockedError as error:
        return error.rule
    except WorkflowError as error:
        if isinstance(error.__cause__, BlockedError):
            return error.__cause__.rule
        raise
    return None


# -- rules come and go -----------------------------------------------------------------


async def test_rules_hold_until_they_are_lifted(opened: Open) -> None:
    async with opened() as db:
        create = db["Item"].create
        with capture_logs() as events:
            with db.read_only(reason="stocktaking") as lift:
                first = await refused(create(name="x"))
                with db.read_only(models=["Item"]):
                    second = await refused(create(name="x"))
            third = await refused(create(name="x"))
            lift.lift()
            db.protect(deny("create", id="none"))
            fourth = await refused(create(name="x"))
            db.protection.replace("development")
            fifth = await refused(create(name="x"))

    assert (first, second) == (lift.rules[0], lift.rules[0])
    assert (third, fourth, fifth) == (None, "none", None)
    changed = [each for each in events if each["event"] == "policy_changed"]
    assert changed[0]["added"] == list(lift.rules)
    assert len({each["version"] for each in changed}) == len(changed)


async def test_a_wrong_rule_changes_nothing(opened: Open) -> None:
    async with opened() as db:
        version = db.protection.version
        for rule in (deny(models="Itme"), deny(models="Item", fields="nmae")):
            with pytest.raises(PolicyError):
                db.protect(rule)
        with pytest.raises(PolicyError, match="two rules"):
            db.protect(deny("create"), deny("create"))
        with pytest.raises(PolicyError, match="Itme"):
            db.read_only(models=["Itme"])

        assert db.protection.version == version
        assert await refused(db["Item"].create(name="x")) is None


async def test_a_run_is_judged_by_one_snapshot(opened: Open) -> None:
    async with opened(audit("write")) as db:

        async def forbid(id: int) -> dict[str, Any]:  # noqa: A002  # the node's output
            db.protect(deny("create", id="late"))
            inner = db.workflow()
            inner.add_node("ItemCreateNode", "it", {"name": "inner"})
            return {"found": await refused(db.run(inner.build())), "price": id}

        workflow = db.workflow()
        workflow.add_node("ItemCreateNode", "before", {"name": "x"})
        workflow.add_node(forbid, "forbid", {})
        workflow.add_node("ItemCreateNode", "after", {"name": "y"})
        workflow.add_connection("before", "id", "forbid", "id")
        workflow.add_connection("forbid", "price", "after", "price")
        built = workflow.build()
        with capture_logs() as events:
            results, _ = await db.run(built)
            direct = await refused(db["Item"].create(name="x"))
            run = await refused(db.run(built))

    audited = {e["version"] for e in events if e["event"] == "write_audited"}
    denied = {e["version"] for e in events if e["event"] == "write_denied"}
    assert results["forbid"]["found"] is None
    assert results["after"]["name"] == "y"
    assert (direct, run) == ("late", "late")
    assert len(audited) == len(denied) == 1
    assert audited != denied


async def test_a_run_that_began_without_rules_goes_on_without(opened: Open) -> None:
    async with opened() as db:

        async def forbid(id: int) -> dict[str, Any]:  # noqa: A002  # the node's output
            db.protect(deny("create", id="late"))
            return {"price": id}

        first = await db.run(before_and_after(db, forbid))
        second = await refused(db.run(before_and_after(db, forbid)))
        stored = await db["Item"].count(filter={"name": "before"})

    assert first[0]["after"]["name"] == "after"
    assert second == "late"
    assert stored == 1  # that of the first run


async def test_a_run_that_began_under_rules_goes_on_under_them(opened: Open) -> None:
    async with opened() as db:
        warning = db.protect(warn("create", id="early"))

        async def lift(id: int) -> dict[str, Any]:  # noqa: A002  # the node's output
            warning.lift()
            return {"price": id}

        with capture_logs() as events:
            for _ in range(2):
                await db.run(before_and_after(db, lift))

    warned = [each for each in events if each["event"] == "write_warned"]
    assert len(warned) == 2  # of the first run, before and after


def before_and_after(db: DataFlow, function: Callable[..., Any]) -> Workflow:
    """Return a workflow of a create, a function and another create."""
    workflow = db.workflow()
    workflow.add_node("ItemCreateNode", "before", {"name": "before"})
    workflow.add_node(function, "between", {})
    workflow.add_node("ItemCreateNode", "after", {"name": "after"})
    workflow.add_connection("before", "id", "between", "id")
    workflow.add_connection("between", "price", "after", "price")
    return workflow.build()


async def test_a_typo_refuses_to_start(database_url: str) -> None:
    db = DataFlow(database_url, protection=deny("delete", models="Itme"))

    @db.model
    class Item:
        name: str

    with anyio.fail_after(20):
        with pytest.raises(PolicyError, match="did you mean 'Item'"):
            async with db:
                pass
        with pytest.raises(PolicyError):
            await db.initialize()
        with pytest.raises(PolicyError):
            await db["Item"].create(name="x")
        with pytest.raises(PolicyError):
            await db["Item"].count()
    await db.aclose()


def test_a_typo_in_a_field_refuses_the_model(sqlite_url: str) -> None:
    db = DataFlow(sqlite_url, protection=deny("update", models="Item", fields="nmae"))

    with pytest.raises(PolicyError, match="did you mean 'name'"):

        @db.model
        class Item:
            name: str

    assert db.list_models() == []
    db.close()


@pytest.mark.parametrize(
    ("protect", "denied"),
    [
        ("append_only", {"update", "delete"}),
        ("read_only", {"create", "update", "delete"}),
        (deny("create"), {"create"}),
        ([deny("create"), deny("update", models="Item")], {"create", "update"}),
        (Policy((deny("delete"),)), {"delete"}),
        (None, set[str]()),
        (False, set[str]()),
    ],
    ids=["append", "read", "rule", "rules", "policy", "none", "off"],
)
async def test_a_model_says_what_protects_it(
    database_url: str, protect: object, denied: set[str]
) -> None:
    db = DataFlow(database_url)

    @db.model
    class Item:
        __dataflow__ = {"protect": protect}  # noqa: RUF012  # as users write it

        name: str

    @db.model
    class Other:
        name: str

    found: set[str] = set()
    with anyio.fail_after(20):
        async with db:
            for operation in ("create", "update", "delete"):
                said = db.protection.explain(model="Item", operation=operation)
                if said.effect == "deny":
                    found.add(operation)
                said = db.protection.explain(model="Other", operation=operation)
                assert said.effect == "allow"
    db.close()

    assert found == denied


@pytest.mark.parametrize(
    ("protect", "problem"),
    [
        ("appendonly", "did you mean 'append_only'"),
        (deny("create", models="Other"), "leave out models"),
        (3, "a rule or a list of rules"),
    ],
)
def test_a_model_cannot_say_nonsense(
    sqlite_url: str, protect: object, problem: str
) -> None:
    db = DataFlow(sqlite_url)
    with pytest.raises(PolicyError, match=problem):

        @db.model
        class Item:
            __dataflow__ = {"protect": protect}  # noqa: RUF012  # as users write it

            name: str

    db.close()


def test_a_field_cannot_be_marked_with_nonsense(sqlite_url: str) -> None:
    db = DataFlow(sqlite_url)
    with pytest.raises(ModelError, match="did you mean 'partial'"):

        @db.model
        class Item:
            name: str = field(mask="partail")

    with pytest.raises(ModelError, match="a key cannot be masked"):

        @db.model
        class Key:
            id: str = field(pii="name")

    db.close()


# -- who asks ----------------------------------------------------------------------------


async def test_whoever_asks_is_known_on_every_path(opened: Open) -> None:
    async with opened(ADA) as db:
        workflow = db.workflow()
        workflow.add_node("ItemCreateNode", "it", {"name": "x"})
        built = workflow.build()
        found = [
            await refused(db["Item"].create(name="x")),
            await refused(db.run(built)),
            await refused(db.run(built, principal="ada")),
        ]
        with db.acting("ada"):
            found.append(await refused(db["Item"].create(name="x")))
            found.append(await refused(db.run(built)))
            with db.acting("bob", role="clerk"):
                found.append(await refused(db["Item"].create(name="x")))
                found.append(await refused(db.run(built, principal="ada")))
            with db.acting(role="clerk"):
                found.append(await refused(db["Item"].create(name="x")))
        found.append(await refused(db["Item"].create(name="x")))

    assert found == ["ada", "ada", None, None, None, "ada", None, None, "ada"]


async def test_a_context_goes_along_with_a_run(opened: Open) -> None:
    rule = deny("write", when={"context.role": {"$ne": "clerk"}}, id="clerks")
    async with opened(rule) as db:
        workflow = db.workflow()
        workflow.add_node("ItemCreateNode", "it", {"name": "x"})
        built = workflow.build()
        found = [
            await refused(db.run(built)),
            await refused(db.run(built, context={"role": "clerk"})),
        ]
        with db.acting(role="clerk"):
            found.append(await refused(db.run(built, context={"more": [1, {"a": 2}]})))
            found.append(await refused(db.run(built, context={"role": "boss"})))
        for wrong in (["role"], {1: 2}, {"a": object()}, {"a": {1: 2}}):
            with pytest.raises(TypeError):
                await db.run(built, context=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert found == ["clerks", None, None, "clerks"]


async def test_calls_of_a_function_are_made_for_whoever_runs_it(opened: Open) -> None:
    rule = deny(
        "write",
        models="Item",
        when={
            "$or": [{"principal": {"$ne": "ada"}}, {"context.role": {"$ne": "clerk"}}]
        },
        id="ada",
    )
    async with opened(rule) as db:

        async def create() -> dict[str, Any]:
            direct = await refused(db["Item"].create(name="x"))
            with db.acting("bob"):
                as_other = await refused(db["Item"].create(name="x"))
            inner = db.workflow()
            inner.add_node("ItemCreateNode", "it", {"name": "x"})
            run = await refused(db.run(inner.build()))
            return {"found": [direct, as_other, run]}

        workflow = db.workflow()
        workflow.add_node(create, "it", {})
        built = workflow.build()
        mine, _ = await db.run(built, principal="ada", context={"role": "clerk"})
        other, _ = await db.run(built, principal="ada")

    assert mine["it"]["found"] == [None, "ada", None]
    assert other["it"]["found"] == ["ada", "ada", "ada"]


async def test_background_calls_are_made_for_whoever_asks(database_url: str) -> None:
    db = DataFlow(database_url, protection=deny("write", when={"principal": None}))

    @db.model
    class Item:
        name: str

    with anyio.fail_after(20):
        found = [await refused(db["Item"].create(name="x"))]
        with db.acting("ada"):
            found.append(await refused(db["Item"].create(name="x")))
    await db.aclose()

    assert found == ["deny-write", None]


# -- rates -------------------------------------------------------------------------------


async def test_a_rate_is_for_each_principal(opened: Open) -> None:
    async with opened(deny("create", models="Item", rate="2/day", id="slow")) as db:
        found: list[str | None] = []
        for name in ("ada", "ada", "ada", "bob"):
            with db.acting(name):
                found.append(await refused(db["Item"].create(name="x")))

    assert found == [None, None, "slow", None]


async def test_an_allowance_has_a_rate(opened: Open) -> None:
    async with opened(Policy.production(allow("create", rate="1/day"))) as db:
        found = [await refused(db["Part"].create(a=n, b="x")) for n in (10, 11)]

    assert found == [None, "default"]


# -- approval ------------------------------------------------------------------------------


async def test_what_nobody_approves_is_refused(opened: Open) -> None:
    rule = require_approval("delete", models="Item", id="two", reason="it is final")
    async with opened(rule) as db:
        with pytest.raises(ApprovalRequiredError) as caught:
            await db["Item"].delete(1)
        with pytest.raises(ApprovalRequiredError) as again:
            await db["Item"].delete(1)
        with pytest.raises(ApprovalRequiredError) as other:
            await db["Item"].delete(2)
        count = await db["Item"].count()

    assert count == 3
    assert caught.value.fingerprint == again.value.fingerprint
    assert caught.value.fingerprint != other.value.fingerprint
    assert "it is final" in str(caught.value)


async def test_somebody_may_approve_of_it(opened: Open) -> None:
    asked: list[Approval] = []

    async def approve(approval: Approval) -> bool:
        asked.append(approval)
        if approval.principal == "mallory":
            raise RuntimeError
        return approval.principal == "ada"

    rules = [
        require_approval("delete", models="Item", id="two", reason="it is final"),
        require_approval(
            "update", models="Item", when={"old.status": "closed"}, id="c"
        ),
    ]
    async with opened(rules, approve=approve) as db:
        items = db["Item"]
        found: list[str | None] = []
        for name in ("bob", "mallory", "ada"):
            with db.acting(name, tenant="t", role="r"):
                found.append(await refused(items.update(2, name="x")))
                found.append(await refused(items.update(1, name="x")))
                found.append(await refused(items.delete(2)))
        count = await items.count()

    assert found == ["c", None, "two", "c", None, "two", None, None, None]
    assert count == 2
    first = asked[2]
    assert (first.rules, first.reasons, first.model, first.operation) == (
        ("two",),
        ("it is final",),
        "Item",
        "delete",
    )
    assert (first.principal, first.tenant, first.context) == ("bob", "t", {"role": "r"})


async def test_a_default_that_denies_lets_pass_what_is_approved(opened: Open) -> None:
    async def approve(approval: Approval) -> bool:
        return approval.operation == "create"

    policy = Policy.production(require_approval("write", id="two"))
    async with opened(policy, approve=approve) as db:
        found = [
            await refused(db["Part"].create(a=9, b="x")),
            await refused(db["Part"].delete({"a": 9, "b": "x"})),
        ]

    assert found == [None, "two"]


# -- leave to pass by ------------------------------------------------------------------------


async def test_leave_is_for_named_rules_and_for_a_block(opened: Open) -> None:
    async with opened([deny("delete", id="kept"), deny("update", id="fixed")]) as db:
        items = db["Item"]
        with capture_logs() as events:
            async with db.override(
                rules=["kept"], reason="asked by Ada", ticket="T-1", ttl=60
            ):
                found = [await refused(items.delete(1)), await refused(items.update(2))]
                workflow = db.workflow()
                workflow.add_node("ItemDeleteNode", "it", {"id": 2})
                built = workflow.build()
                found.append(await refused(db.run(built)))
            found.append(await refused(items.delete(3)))
            found.append(await refused(db.run(built)))

    assert found == [None, "fixed", None, "kept", "kept"]
    told = [each for each in events if each["event"] == "protection_overridden"]
    assert [each["rules"] for each in told] == [["kept"], ["kept"]]
    assert {(each["reason"], each["ticket"]) for each in told} == {
        ("asked by Ada", "T-1")
    }


async def test_only_the_leave_that_is_used_is_told(opened: Open) -> None:
    async with opened([deny("delete", id="kept"), deny("update", id="fixed")]) as db:
        with capture_logs() as events:
            async with (
                db.override(rules=["kept"], reason="one", ticket="t", ttl=60),
                db.override(rules=["fixed"], reason="other", ticket="t", ttl=60),
            ):
                await db["Item"].delete(1)

    told = [each for each in events if each["event"] == "protection_overridden"]
    assert [each["reason"] for each in told] == ["one"]


async def test_leave_is_told_before_anything_is_written(opened: Open) -> None:
    async with opened(deny("delete", id="kept"), echo=True) as db:
        with capture_logs() as events:
            async with db.override(rules=["kept"], reason="r", ticket="t", ttl=60):
                await db["Item"].delete(1)

    names = [each["event"] for each in events]
    assert names.index("protection_overridden") < names.index("statement_run")


async def test_leave_ends_with_its_time(opened: Open) -> None:
    async with opened(deny("delete", id="kept")) as db:
        leave = db.override(
            rules=["kept"], reason="r", ticket="t", ttl=timedelta(microseconds=1)
        )
        async with leave:
            assert await refused(db["Item"].delete(1)) == "kept"


async def test_leave_is_for_so_many_rows(opened: Open) -> None:
    rules = [deny("delete", id="kept"), deny("write", models="Part", max_rows=9)]
    async with opened(rules) as db:
        leave = db.override(rules=["kept"], reason="r", ticket="t", ttl=60, max_rows=2)
        async with leave:
            await db["Item"].delete(1)
            with pytest.raises(RowLimitError):
                await db["Item"].bulk_delete(ids=[2, 3])
            await db["Item"].delete(2)
            with pytest.raises(RowLimitError):
                await db["Part"].delete({"a": 1, "b": "b1"})
        count = await db["Item"].count()

    assert count == 1


async def test_leave_may_be_for_what_fields_bring_along(opened: Open) -> None:
    rules = ["immutable:Item.sku", "mask:Item.mail", "default", "two"]
    policy = Policy.production(
        allow("update", models="Item"), require_approval("delete", id="two")
    )
    async with (
        opened(policy) as db,
        db.override(rules=rules, reason="r", ticket="t", ttl=60),
    ):
        changed = await db["Item"].update(1, sku="new")
        created = await refused(db["Item"].create(name="x"))
        deleted = await refused(db["Item"].delete(2))

    assert (changed["sku"], changed["mail"]) == ("new", "ada@example.org")
    assert (created, deleted) == (None, None)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"rules": ["kpet"]}, "did you mean 'kept'"),
        ({"rules": []}, "it names rules"),
        ({"rules": "kept"}, "it names rules"),
        ({"rules": ["*"]}, "there is no such rule"),
        ({"reason": " "}, "it needs a reason"),
        ({"ticket": ""}, "it needs a ticket"),
        ({"ttl": 0}, "seconds above 0"),
        ({"max_rows": -1}, "at least 0"),
    ],
)
def test_leave_says_for_what_and_why(
    sqlite_url: str, given: dict[str, Any], problem: str
) -> None:
    db = DataFlow(sqlite_url, protection=deny("delete", id="kept"))
    asked: dict[str, Any] = {"rules": ["kept"], "reason": "r", "ticket": "t", "ttl": 1}

    with pytest.raises(PolicyError, match=problem):
        db.override(**(asked | given))
    db.close()


# -- what is told ----------------------------------------------------------------------------


async def test_messages_are_recorded_and_judged_again_by_another_policy(
    opened: Open,
) -> None:
    async with opened([deny("delete", id="kept"), warn("update", id="w")]) as db:
        items = db["Item"]
        with db.protection.recording() as records, db.acting("ada", role="clerk"):
            await items.create(name="x", price=1)
            await items.update(1, name="y")
            await refused(items.delete(1))
        await items.create(name="not recorded")
        changes = db.protection.simulate(
            [
                deny("create", fields="price", id="no-price"),
                deny("delete", rate="1/day", id="slow"),
                deny("update", when={"principal": "ada"}, id="ada"),
            ],
            records,
        )
        with pytest.raises(PolicyError):
            db.protection.simulate(deny(models="Itme"), records)

    assert [(r.operation, r.effect, r.rules) for r in records] == [
        ("create", "allow", ()),
        ("update", "warn", ("w",)),
        ("delete", "deny", ("kept",)),
    ]
    assert records[0].fields == ("name", "price")
    assert (records[0].principal, records[0].context) == ("ada", {"role": "clerk"})
    assert [(c.recorded.operation, c.effect, c.rules) for c in changes] == [
        ("create", "conditional", ("no-price",)),
        ("update", "deny", ("ada",)),
        ("delete", "allow", ()),
    ]


async def test_no_value_no_password_and_no_url_is_told(
    opened: Open, database_url: str, raw: Any
) -> None:
    secret = "canary-4711"  # noqa: S105  # it is none
    rules = [
        deny("write", models="Item", when={"new.name": secret}, id="r1"),
        deny("update", models="Item", max_rows=0, id="r2"),
        require_approval("delete", models="Item", id="r3"),
        warn("create", id="r4"),
    ]
    said: list[str] = []
    async with opened(rules) as db:
        items = db["Item"]
        calls: list[Awaitable[Any]] = [
            items.create(name=secret),
            items.update(1, sku=secret),
            items.update(1, status=secret),
            items.delete(filter={"name": secret}),
            items.upsert(where={"id": 1}, create={"name": secret}),
            items.bulk_create([{"name": secret}]),
            items.list(filter={"mail": secret}),
            raw(db, f"DELETE FROM items WHERE name = '{secret}'"),  # noqa: S608  # on purpose
            raw(db, f"CALL wipe('{secret}')"),
        ]
        with capture_logs() as events, db.acting(secret, role=secret):
            for call in calls:
                with pytest.raises(BlockedError) as caught:
                    await call
                said += [str(caught.value), repr(caught.value)]
        said += [repr(db.protection), repr(events)]

    text = "\n".join(said)
    assert secret not in text
    assert database_url not in text
    assert text.count("write_denied") >= 7
