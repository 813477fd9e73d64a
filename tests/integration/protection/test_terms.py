"""Rules about fields, rows and numbers: exact, on both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, Records
from dataflow.errors import (
    BlockedError,
    ReadBlockedError,
    RowLimitError,
    WriteBlockedError,
)
from dataflow.protection import Policy, allow, audit, deny, warn

CLOSED = deny("write", models="Item", when={"old.status": "closed"}, id="closed")
DEAR = deny(
    ["create", "update"], models="Item", when={"new.price": {"$gt": 100}}, id="dear"
)
DROPS = deny(
    "update",
    models="Item",
    when={"new.price": {"$lt": {"$field": "old.price"}}},
    id="drops",
)

Call = Callable[[Records], Awaitable[Any]]
Open = Callable[..., AbstractAsyncContextManager[DataFlow]]


def many(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"name": f"n{number}"}


def numbers(cases: list[Any]) -> list[str]:
    return [f"{number}-{case[1]}" for number, case in enumerate(cases)]


ROWS: list[tuple[Call, Any]] = [
    (lambda r: r.update(2, name="x"), "closed"),
    (lambda r: r.update(filter={"name": "b"}, fields={"name": "x"}), "closed"),
    (lambda r: r.update(1, name="x"), None),
    (lambda r: r.update(1, status="closed"), None),
    (lambda r: r.update(99, name="x"), None),
    (lambda r: r.delete(2), "closed"),
    (lambda r: r.delete(1), None),
    (lambda r: r.bulk_delete(ids=[1, 2]), "closed"),
    (lambda r: r.bulk_delete(ids=[1, 3]), None),
    (lambda r: r.bulk_delete(ids=iter([1, 2])), "closed"),
    (lambda r: r.bulk_delete(filter={"price": {"$gt": 0}}), "closed"),
    (
        lambda r: r.bulk_update(filter={"id": {"$gte": 1}}, update={"name": "x"}),
        "closed",
    ),
    (lambda r: r.bulk_update(filter={"id": 3}, update={"name": "x"}), None),
    (lambda r: r.bulk_update(data=[{"id": 2, "name": "x"}]), "closed"),
    (lambda r: r.bulk_update(data=[{"id": 3, "name": "x"}]), None),
    (
        lambda r: r.bulk_update(
            data=[{"id": 3, "status": "closed"}, {"id": 3, "name": "x"}]
        ),
        "closed",
    ),
    (lambda r: r.upsert(where={"id": 2}, create={"name": "x"}), "closed"),
    (lambda r: r.upsert(where={"id": 3}, create={"name": "x"}), None),
    (lambda r: r.upsert(where={"id": 7}, create={"name": "x"}), None),
    (lambda r: r.bulk_upsert([{"id": 2, "name": "x"}]), "closed"),
    (
        lambda r: r.bulk_upsert([{"id": 3, "name": "x"}, {"id": 8, "name": "y"}]),
        None,
    ),
    (lambda r: r.create(name="x", price=101), "dear"),
    (lambda r: r.create(name="x", price=100), None),
    (lambda r: r.update(1, price=101), "dear"),
    (
        lambda r: r.upsert(where={"id": 7}, create={"name": "x", "price": 101}),
        "dear",
    ),
    (
        lambda r: r.upsert(
            where={"id": 1}, create={"name": "x"}, update={"price": 101}
        ),
        "dear",
    ),
    (lambda r: r.bulk_create([{"name": "x"}, {"name": "y", "price": 101}]), "dear"),
    (
        lambda r: r.bulk_create(
            ({"name": "x", "price": n} for n in range(120)), batch_size=20
        ),
        "dear",
    ),
    (lambda r: r.bulk_upsert([{"id": 1, "name": "x", "price": 101}]), "dear"),
    (
        lambda r: r.bulk_update(filter={"id": 3}, update={"price": {"$inc": 92}}),
        "dear",
    ),
    (
        lambda r: r.bulk_update(filter={"id": 3}, update={"price": {"$inc": 9}}),
        None,
    ),
    (
        lambda r: r.bulk_update(filter={"id": 3}, update={"price": {"$inc": -1}}),
        "drops",
    ),
    (lambda r: r.update(3, price=8), "drops"),
    (lambda r: r.update(3, price=9), None),
]

MARKS: list[tuple[Call, Any]] = [
    (lambda r: r.update(1, sku="x"), "immutable:Item.sku"),
    (lambda r: r.update(1, sku="s-a"), None),
    (lambda r: r.update(1, sku=None), "immutable:Item.sku"),
    (lambda r: r.update(2, sku=None), None),
    (lambda r: r.update(2, sku="x"), "immutable:Item.sku"),
    (lambda r: r.update(2, code="x"), None),
    (lambda r: r.update(3, code="x"), "write_once:Item.code"),
    (lambda r: r.update(3, code=None), "write_once:Item.code"),
    (
        lambda r: r.bulk_upsert([{"id": 1, "name": "x", "sku": "y"}]),
        "immutable:Item.sku",
    ),
    (
        lambda r: r.upsert(where={"id": 1}, create={"name": "x"}, update={"sku": "y"}),
        "immutable:Item.sku",
    ),
    (
        lambda r: r.bulk_update(data=[{"id": 3, "code": "y"}]),
        "write_once:Item.code",
    ),
    (
        lambda r: r.bulk_update(filter={"id": {"$gt": 0}}, update={"sku": "s-a"}),
        "immutable:Item.sku",
    ),
]

FIELDS: list[tuple[Call, Any]] = [
    (lambda r: r.create(name="x"), False),
    (lambda r: r.create(name="x", price=1), True),
    (lambda r: r.update(1, name="x"), False),
    (lambda r: r.update(1, price=1), True),
    (lambda r: r.update(filter={"id": 1, "price": 0}, fields={"name": "x"}), False),
    (lambda r: r.upsert(where={"id": 1}, create={"name": "x"}), False),
    (lambda r: r.upsert(where={"id": 1}, create={"name": "x", "price": 1}), True),
    (
        lambda r: r.upsert(where={"id": 1}, create={"name": "x"}, update={"price": 1}),
        True,
    ),
    (lambda r: r.bulk_create([{"name": "x"}] * 100), False),
    (
        lambda r: r.bulk_create([{"name": "x"}] * 99 + [{"name": "x", "price": 1}]),
        True,
    ),
    (lambda r: r.bulk_create([{"name": "x"}], price=1), True),
    (lambda r: r.bulk_create([{"name": "x", "price": 1}] * 3), True),
    (lambda r: r.bulk_upsert([{"id": 1, "name": "x"}] * 2), False),
    (lambda r: r.bulk_upsert([{"id": 1, "name": "x", "price": 1}]), True),
    (lambda r: r.bulk_update(data=[{"id": 1, "name": "x"}]), False),
    (lambda r: r.bulk_update(data=[{"id": 1, "price": 2}]), True),
    (
        lambda r: r.bulk_update(filter={"id": 1}, update={"price": {"$inc": 1}}),
        True,
    ),
    (lambda r: r.bulk_update(filter={"price": 0}, update={"name": "x"}), False),
]

NUMBERS: list[tuple[Call, Any]] = [
    (lambda r: r.bulk_update(filter={"id": {"$gt": 0}}, update={"name": "x"}), 3),
    (lambda r: r.bulk_delete(filter={"id": {"$gt": 0}}), 3),
    (lambda r: r.bulk_delete(ids=[1, 2, 3, 99]), 3),
    (lambda r: r.bulk_create(list(many(3))), 3),
    (lambda r: r.bulk_create(many(100)), 100),
    (lambda r: r.bulk_create(many(3000), batch_size=1000), 1000),
    (lambda r: r.bulk_upsert([{"id": n, "name": "x"} for n in (1, 2, 9)]), 3),
    (lambda r: r.bulk_update(data=[{"id": n, "name": "x"} for n in (1, 2, 3)]), 3),
]


async def refused(call: Awaitable[Any]) -> str | None:
    """Return the rule that refuses a call; None if it passes."""
    try:
        await call
    except BlockedError as error:
        return error.rule
    return None


async def rows(db: DataFlow, model: str = "Item") -> list[dict[str, Any]]:
    page = await db[model].list(limit=None)
    return list(page["records"])


@pytest.mark.parametrize(("call", "rule"), ROWS, ids=numbers(ROWS))
async def test_a_condition_on_rows_refuses_and_leaves_every_row_as_it_was(
    opened: Open, call: Call, rule: str | None
) -> None:
    async with opened([CLOSED, DEAR, DROPS]) as db:
        before = await rows(db)
        found = await refused(call(db["Item"]))
        after = await rows(db)

    assert found == rule
    if rule is not None:
        assert after == before


@pytest.mark.parametrize(("call", "rule"), MARKS, ids=numbers(MARKS))
async def test_marks_of_fields_hold(opened: Open, call: Call, rule: str | None) -> None:
    async with opened() as db:
        before = await rows(db)
        found = await refused(call(db["Item"]))
        after = await rows(db)

    assert found == rule
    if rule is not None:
        assert after == before


@pytest.mark.parametrize(("call", "is_refused"), FIELDS, ids=numbers(FIELDS))
async def test_a_rule_about_a_field_is_for_who_names_it(
    opened: Open, call: Call, *, is_refused: bool
) -> None:
    async with opened(deny(["create", "update"], models="Item", fields="price")) as db:
        before = await rows(db)
        found = await refused(call(db["Item"]))
        after = await rows(db)

    assert (found is not None) is is_refused
    if is_refused:
        assert after == before


async def test_rows_that_may_not_be_read_are_not_there(opened: Open) -> None:
    rule = deny(
        "read",
        models="Item",
        when={"old.status": "closed", "principal": {"$ne": "ada"}},
        id="hidden",
    )
    async with opened(rule) as db:
        items = db["Item"]
        page = await items.list(count=True)
        missing = await items.read(2, raise_on_not_found=False)
        count = await items.count()
        groups = await items.aggregate({"n": {"$count": "*"}}, group_by="status")
        distinct = await items.list(fields=["status"], distinct=True, count=True)
        streamed = [row["id"] async for row in items.stream()]
        changed = await items.update(2, name="x")
        deleted = await items.delete(2)
        many = await items.bulk_delete(ids=[2])
        upserted = await refused(items.upsert(where={"id": 2}, create={"name": "x"}))
        bulk = await refused(items.bulk_upsert([{"id": 2, "name": "x"}]))
        with db.acting("ada"):
            seen = await items.read(2)

    assert [row["id"] for row in page["records"]] == [1, 3]
    assert page["total"] == count == 2
    assert missing["found"] is False
    assert groups["groups"] == [{"status": "open", "n": 2}]
    assert distinct["records"] == [{"status": "open"}]
    assert distinct["total"] == 1
    assert streamed == [1, 3]
    assert (changed["updated"], deleted["deleted"], many["deleted"]) == (
        False,
        False,
        0,
    )
    assert (upserted, bulk) == ("hidden", "hidden")
    assert seen["name"] == "b"


async def test_a_masked_field_is_shown_to_who_has_leave(opened: Open) -> None:
    see = allow("unmask", models="Item", fields="mail", when={"context.role": "clerk"})
    async with opened(see) as db:
        items = db["Item"]
        read = await items.read(1)
        page = await items.list(fields=["mail"], filter={"id": 1})
        created = await items.create(name="x", mail="bob@example.org")
        changed = await items.update(1, name="y")
        upserted = await items.upsert(where={"id": 1}, create={"name": "y"})
        questions: dict[str, Call] = {
            "filter": lambda r: r.list(filter={"mail": {"$like": "a%"}}),
            "order": lambda r: r.list(order_by="mail"),
            "count": lambda r: r.count({"mail": "ada@example.org"}),
            "least": lambda r: r.aggregate({"m": {"$min": "mail"}}),
            "group": lambda r: r.aggregate({"n": {"$count": "*"}}, group_by="mail"),
            "distinct": lambda r: r.list(fields=["mail"], distinct=True),
            "delete": lambda r: r.bulk_delete(filter={"mail": "ada@example.org"}),
            "change": lambda r: r.bulk_update(
                filter={"mail": "ada@example.org"}, update={"name": "z"}
            ),
        }
        told = [
            name for name, ask in questions.items() if not await refused(ask(items))
        ]
        with db.acting(role="clerk"):
            seen = await items.read(1)
            found = await items.count({"mail": "ada@example.org"})

    assert read["mail"] == page["records"][0]["mail"] == "a***@example.org"
    assert created["mail"] == "b***@example.org"
    assert changed["mail"] == upserted["record"]["mail"] == "a***@example.org"
    assert told == []
    assert (seen["mail"], found) == ("ada@example.org", 1)


async def test_many_readers_of_masked_fields_share_statements(opened: Open) -> None:
    found: list[Any] = []
    async with opened() as db:

        async def read(key: int) -> None:
            found.append(await db["Item"].read(key))

        async with anyio.create_task_group() as tasks:
            for key in (1, 2, 3) * 10:
                tasks.start_soon(read, key)

    assert {row["mail"] for row in found} == {None, "a***@example.org"}


async def test_many_writers_under_rules_about_fields_share_statements(
    opened: Open,
) -> None:
    outcomes: list[str | None] = []
    rule = deny(["create", "update"], models="Part", fields="n", id="n")
    async with opened(rule) as db:

        async def create(key: int) -> None:
            given = {"n": 1} if key % 5 == 0 else {}
            outcomes.append(await refused(db["Part"].create(a=key, b="x", **given)))

        async with anyio.create_task_group() as tasks:
            for key in range(100, 140):
                tasks.start_soon(create, key)
        stored = await rows(db, "Part")

    assert outcomes.count("n") == 8
    assert len(stored) == 4 + 32


async def test_rules_about_rows_hold_where_the_key_has_several_fields(
    opened: Open,
) -> None:
    rule = deny("delete", models="Part", when={"old.n": 3}, id="three")
    async with opened(rule) as db:
        parts = db["Part"]
        ids = [{"a": n, "b": f"b{n}"} for n in range(4)]
        found = await refused(parts.bulk_delete(ids=ids))
        kept = await parts.count()
        done = await parts.bulk_delete(ids=ids[:3])

    assert (found, kept, done["deleted"]) == ("three", 4, 3)


@pytest.mark.parametrize(("call", "count"), NUMBERS, ids=numbers(NUMBERS))
async def test_a_write_of_more_rows_than_allowed_is_undone_and_says_how_many(
    opened: Open, call: Call, count: int
) -> None:
    async with opened(deny("write", models="Item", max_rows=2, id="few")) as db:
        before = await rows(db)
        with pytest.raises(RowLimitError) as caught:
            await call(db["Item"])
        after = await rows(db)

    assert after == before
    assert (caught.value.limit, caught.value.count) == (2, count)
    assert str(count) in str(caught.value)


async def test_a_write_of_as_many_rows_as_allowed_passes(opened: Open) -> None:
    async with opened(deny("write", models="Item", max_rows=2)) as db:
        await db["Item"].bulk_create(many(2))
        await db["Item"].create(name="x")
        await db["Item"].update(1, name="y")
        await db["Item"].upsert(where={"id": 1}, create={"name": "z"})
        await db["Item"].delete(1)

        assert await db["Item"].count() == 5


async def test_a_limit_holds_while_others_insert(opened: Open) -> None:
    """Each statement is judged by the rows it came to, not by those seen before."""
    outcomes: list[object] = []
    async with opened(deny("update", models="Item", max_rows=20, id="few")) as db:

        async def insert() -> None:
            for _ in range(20):
                await db["Item"].create(name="x")

        async def change() -> None:
            for _ in range(15):
                try:
                    done = await db["Item"].bulk_update(
                        filter={"id": {"$gt": 0}}, update={"name": "y"}
                    )
                    outcomes.append(done["updated"])
                except RowLimitError as error:
                    outcomes.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(insert)
            tasks.start_soon(change)
        total = await db["Item"].count()
        with pytest.raises(RowLimitError) as caught:
            await db["Item"].bulk_update(
                filter={"id": {"$gt": 0}}, update={"name": "y"}
            )

    assert caught.value.count == total == 43
    for outcome in outcomes:
        if isinstance(outcome, RowLimitError):
            assert outcome.count > 20
        else:
            assert isinstance(outcome, int)
            assert outcome <= 20


async def test_a_run_has_one_budget(opened: Open) -> None:
    rule = deny("write", models="Item", max_rows_per_run=3, id="few")
    async with opened(rule) as db:
        workflow = db.workflow()
        for number in range(3):
            given = {"data": [{"name": "x"}] * 2}
            workflow.add_node(
                "ItemBulkCreateNode", f"n{number}", given, on_error="continue"
            )
        results, _ = await db.run(workflow.build())
        again, _ = await db.run(workflow.build())
        total = await db["Item"].count()
        alone = await refused(db["Item"].bulk_create([{"name": "x"}] * 4))

    for each in (results, again):
        done = [result for result in each.values() if result.get("success")]
        assert len(done) == 1  # what was undone counts no more, and two of two are four
    assert total == 3 + 4
    assert alone == "few"


async def test_what_rules_allow_for_some_is_refused_for_others(opened: Open) -> None:
    policy = Policy.production(
        allow("update", models="Item", fields="name", when={"old.status": "open"}),
        allow("update", models="Item", when={"principal": "root"}),
        allow("create", models="Item", max_rows=2, id="some"),
        allow("delete", models="Item", when={"old.price": {"$gt": 5}}),
    )
    async with opened(policy) as db:
        items = db["Item"]
        found = [
            await refused(items.update(1, name="x")),
            await refused(items.update(1, name="x", price=3)),
            await refused(items.update(2, name="x")),
            await refused(items.bulk_create(many(2))),
            await refused(items.bulk_create(many(3))),
            await refused(items.delete(1)),
            await refused(items.delete(3)),
        ]
        with db.acting("root"):
            found.append(await refused(items.update(2, price=3)))

    assert found == [None, "default", "default", None, "some", "default", None, None]


async def test_what_rules_let_read_is_all_there_is(opened: Open) -> None:
    policy = Policy(
        (
            allow("read", models="Item", fields=("name", "price"), id="some"),
            allow("read", models="Part", when={"old.n": {"$gt": 1}}, id="parts"),
        ),
        "deny",
    )
    async with opened(policy) as db:
        item = await db["Item"].read(2)
        parts = await rows(db, "Part")

    assert item == {
        "id": 2,
        "name": "b",
        "price": 5,
        "status": "***",
        "sku": None,
        "code": None,
        "mail": None,
        "found": True,
    }
    assert [part["n"] for part in parts] == [2, 3]


async def test_reading_a_field_can_be_denied(opened: Open) -> None:
    async with opened(deny("read", models="Item", fields=("price", "id"))) as db:
        item = await db["Item"].read(2)
        with pytest.raises(ReadBlockedError):
            await db["Item"].list(filter={"price": 5})

    assert (item["id"], item["price"], item["name"]) == (2, None, "b")


async def test_what_is_only_noted_passes(opened: Open) -> None:
    from structlog.testing import capture_logs  # noqa: PLC0415  # only here

    rules = [
        warn("update", models="Item", when={"old.status": "closed"}, id="w-row"),
        audit("update", models="Item", fields="price", id="a-field"),
        warn("write", models="Item", max_rows=1, id="w-many"),
        audit("delete", models="Item", id="a-delete"),
    ]
    async with opened(rules) as db:
        items = db["Item"]
        with capture_logs() as events:
            await items.update(2, price=7)
            await items.update(1, name="x")
            await items.bulk_update(filter={"id": {"$gt": 0}}, update={"name": "y"})
            await items.bulk_create(many(300), batch_size=100)
            await items.delete(1)

    noted = [(e["event"], e["rule"]) for e in events if "rule" in e]
    assert sorted(noted) == [
        ("write_audited", "a-delete"),
        ("write_audited", "a-field"),
        ("write_warned", "w-many"),
        ("write_warned", "w-many"),
        ("write_warned", "w-row"),
        ("write_warned", "w-row"),
    ]


async def test_who_writes_at_once_never_gets_a_row_past_a_rule(opened: Open) -> None:
    """Many change a row while others close it: none is changed once it is closed."""
    async with opened(CLOSED) as db:
        items = db["Item"]

        async def change() -> None:
            for number in range(10):
                await refused(items.update(1, price=number + 1))
                await refused(
                    items.upsert(
                        where={"id": 1}, create={"name": "x"}, update={"price": 50}
                    )
                )
                await refused(items.bulk_upsert([{"id": 1, "name": "z"}]))

        async def close() -> None:
            await refused(items.update(1, status="closed"))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(change)
            tasks.start_soon(close)
        first = await items.read(1)
        with pytest.raises(WriteBlockedError):
            await items.update(1, price=99)
        last = await items.read(1)

    assert first["status"] == "closed"
    assert last == first


async def test_new_rows_that_meet_at_once_are_judged_as_what_they_become(
    opened: Open,
) -> None:
    rule = deny("update", models="Item", when={"new.price": 1}, id="one")
    outcomes: list[str | None] = []
    async with opened(rule, pool_size=6) as db:
        items = db["Item"]

        async def upsert(key: int) -> None:
            outcomes.append(
                await refused(
                    items.upsert(where={"id": key}, create={"name": "x", "price": 1})
                )
            )

        async with anyio.create_task_group() as tasks:
            for key in range(50, 60):
                for _ in range(4):
                    tasks.start_soon(upsert, key)

    assert outcomes.count(None) == 10
    assert outcomes.count("one") == 30
