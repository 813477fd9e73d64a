"""Related rows that come with lists and reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    FieldValueError,
    RecordNotFoundError,
    TransactionConflictError,
    UnknownFieldError,
)
from dataflow.nodes.model._include import load
from dataflow.sql import Statement, matcher, parse
from dataflow.sql.tables._related_rows import MAX_KEYS

Ask = Callable[..., Awaitable[Any]]


class Customer:
    name: str
    city: str | None


class Order:
    customer_id: int | None = field(references="Customer", on_delete="set_null")
    total: int


class Line:
    order_id: int = field(primary_key=True, references="Order", on_delete="cascade")
    number: int = field(primary_key=True)
    product: str


class Remark:
    order_id: int | None
    line: int | None
    text: str
    __foreign_keys__ = [  # noqa: RUF012
        {
            "fields": ["order_id", "line"],
            "references": "Line",
            "to": ["order_id", "number"],
            "relation": "about",
        }
    ]


class Employee:
    name: str
    boss_id: int | None = field(references="Employee", backref="staff")


CLASSES = (Remark, Line, Order, Customer, Employee)


@pytest.fixture
async def shop(db: DataFlow) -> DataFlow:
    for cls in CLASSES:
        db.model(cls)
    await db["Customer"].bulk_create(
        [{"name": "Ada", "city": "Bern"}, {"name": "Bob"}, {"name": "Eve"}]
    )
    await db["Order"].bulk_create(
        [
            {"customer_id": 1, "total": 5},
            {"customer_id": 2, "total": 6},
            {"customer_id": 1, "total": 7},
            {"total": 8},
        ]
    )
    await db["Line"].bulk_create(
        [
            {"order_id": 1, "number": 2, "product": "b"},
            {"order_id": 1, "number": 1, "product": "a"},
            {"order_id": 3, "number": 1, "product": "c"},
        ]
    )
    await db["Remark"].bulk_create(
        [
            {"order_id": 1, "line": 2, "text": "good"},
            {"order_id": 1, "text": "lost"},
            {"order_id": 3, "line": 1, "text": "late"},
            {"order_id": 1, "line": 2, "text": "again"},
        ]
    )
    return db


async def records(db: DataFlow, model: str, **parameters: object) -> list[Any]:
    with anyio.fail_after(20):
        page = await db[model].list(**parameters)
    found: list[Any] = page["records"]
    return found


async def test_one_related_row_is_a_dict_or_none(shop: DataFlow) -> None:
    found = await records(shop, "Order", include=["customer"])

    ada = {"id": 1, "name": "Ada", "city": "Bern"}
    assert found[0] == {"id": 1, "customer_id": 1, "total": 5, "customer": ada}
    assert [each["customer"] and each["customer"]["name"] for each in found] == [
        "Ada",
        "Bob",
        "Ada",
        None,
    ]


async def test_many_related_rows_are_a_list_by_key(shop: DataFlow) -> None:
    found = await records(shop, "Order", include=["lines"])

    assert [[line["product"] for line in each["lines"]] for each in found] == [
        ["a", "b"],
        [],
        ["c"],
        [],
    ]


async def test_a_path_follows_relations(shop: DataFlow) -> None:
    found = await records(
        shop, "Customer", include=["orders.lines.remarks", "orders.customer"]
    )
    first, *others = found[0]["orders"]

    assert [each["text"] for each in first["lines"][1]["remarks"]] == ["good", "again"]
    assert [each["id"] for each in others] == [3]
    assert first["customer"]["name"] == "Ada"
    assert found[2]["orders"] == []


async def test_a_key_of_several_fields_refers_only_when_it_is_whole(
    shop: DataFlow,
) -> None:
    found = await records(shop, "Remark", include=["about.order"])

    assert [each["about"] and each["about"]["product"] for each in found] == [
        "b",
        None,
        "c",
        "b",
    ]
    assert found[2]["about"]["order"]["total"] == 7


async def test_a_model_that_refers_to_itself_comes_with_itself(shop: DataFlow) -> None:
    people = shop["Employee"]
    for name, boss in (("a", None), ("b", 1), ("c", 1), ("d", 2)):
        await people.create(name=name, boss_id=boss)
    (top,) = await records(
        shop, "Employee", filter={"boss": None}, include=["staff.staff", "boss"]
    )

    assert top["boss"] is None
    assert [each["name"] for each in top["staff"]] == ["b", "c"]
    assert [each["name"] for each in top["staff"][0]["staff"]] == ["d"]


async def test_fields_and_pages_are_those_of_the_list(shop: DataFlow) -> None:
    page = await shop["Order"].list(
        fields=["total"], include=["customer"], limit=3, count=True, order_by="-total"
    )

    assert [list(each) for each in page["records"]] == [["total", "customer"]] * 3
    assert [
        each["customer"] and each["customer"]["id"] for each in page["records"]
    ] == [
        None,
        1,
        2,
    ]
    assert (page["count"], page["total"]) == (3, 4)
    (last,) = await records(
        shop,
        "Order",
        fields=["total"],
        include="customer, lines",
        cursor=page["next_cursor"],
        order_by="-total",
    )
    assert (last["total"], last["customer"]["name"], len(last["lines"])) == (
        5,
        "Ada",
        2,
    )


async def test_combinations_and_the_rest_of_the_fields_come_with_related_rows(
    shop: DataFlow,
) -> None:
    found = await records(shop, "Order", distinct=["customer_id"], include=["customer"])
    without = await records(shop, "Order", exclude=["customer_id"], include="customer")

    names = [each["customer"] and each["customer"]["name"] for each in found]
    assert names == [None, "Ada", "Bob"]
    assert list(without[0]) == ["id", "total", "customer"]
    with pytest.raises(FieldValueError, match="'customer_id' among the fields"):
        await shop["Order"].list(distinct=["total"], include=["customer"])


async def test_no_records_ask_for_no_related_rows(shop: DataFlow) -> None:
    assert await records(shop, "Order", filter={"id": 99}, include=["lines"]) == []
    assert await records(shop, "Order", limit=0, include=["lines"]) == []


async def test_a_read_brings_related_rows_too(shop: DataFlow, ask: Ask) -> None:
    row = await shop["Order"].read(1, include=["customer", "lines.remarks"])

    assert row["customer"]["name"] == "Ada"
    assert [len(each["remarks"]) for each in row["lines"]] == [0, 2]
    assert (await ask("OrderReadNode", id=1, include=["customer"]))["customer"][
        "id"
    ] == 1
    by_filter = await shop["Customer"].read(filter={"name": "Bob"}, include=["orders"])
    assert [each["total"] for each in by_filter["orders"]] == [6]


async def test_a_read_that_finds_nothing_brings_nothing(shop: DataFlow) -> None:
    absent = await shop["Order"].read(
        99, include=["customer"], raise_on_not_found=False
    )

    assert absent == {"id": 99, "found": False}
    with pytest.raises(RecordNotFoundError):
        await shop["Order"].read(99, include=["customer"])


async def test_reads_with_and_without_related_rows_are_served_together(
    shop: DataFlow, at_once: Callable[..., Awaitable[list[Any]]]
) -> None:
    orders = shop["Order"]
    calls = [
        orders.read(1 + place % 3, include=["customer"])
        if place % 2
        else orders.read(1 + place % 3)
        for place in range(12)
    ]
    found = await at_once(calls)

    assert ["customer" in each for each in found] == [False, True] * 6


async def test_a_workflow_connects_a_related_row(shop: DataFlow) -> None:
    builder = shop.workflow()
    builder.add_node("OrderReadNode", "order", {"id": 1, "include": ["customer"]})
    builder.add_node("CustomerReadNode", "customer", {})
    builder.add_connection("order", "customer.id", "customer", "id")
    results, _ = await shop.run(builder.build())

    assert results["customer"]["name"] == "Ada"


async def test_a_stream_brings_related_rows_page_by_page(shop: DataFlow) -> None:
    with anyio.fail_after(20):
        found = [
            each["customer"] and each["customer"]["name"]
            async for each in shop["Order"].stream(include=["customer"], page=2)
        ]

    assert found == ["Ada", "Bob", "Ada", None]


async def test_rows_with_related_ones_can_be_filtered_in_python(shop: DataFlow) -> None:
    given = {"customer.city": "Bern", "lines": {"$some": {"product": "a"}}}
    lets = matcher(parse(given, shop["Order"].model))
    found = await records(shop, "Order", include=["customer", "lines"])

    assert [each["id"] for each in found if lets(each)] == [1]
    assert [each["id"] for each in await records(shop, "Order", filter=given)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_more_keys_than_one_statement_takes_are_asked_for_in_batches(
    shop: DataFlow,
) -> None:
    n_people = MAX_KEYS + 2
    await shop["Employee"].bulk_create(
        [
            {"id": key, "name": str(key), "boss_id": key - 1 or None}
            for key in range(1, n_people + 1)
        ]
    )
    found = await records(shop, "Employee", limit=None, include=["boss", "staff"])

    assert len(found) == n_people
    assert [each["boss"] and each["boss"]["id"] for each in found] == [
        None,
        *range(1, n_people),
    ]
    assert [[one["id"] for one in each["staff"]] for each in found] == [
        *([key] for key in range(2, n_people + 1)),
        [],
    ]


class Color(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("type_", "key"),
    [
        (str, "é'"),
        (UUID, UUID(int=5)),
        (bytes, b"\xff\0"),
        (Decimal, Decimal("1.50")),
        (datetime, datetime(2026, 1, 2, tzinfo=UTC)),
        (Color, Color.RED),
    ],
)
async def test_keys_of_every_type_find_their_rows(
    db: DataFlow, type_: type, key: Any
) -> None:
    def declared(name: str, **body: Any) -> None:
        db.model(type(name, (), {"__annotations__": dict.fromkeys(body, type_)} | body))

    declared("Thing", code=field(primary_key=True))
    declared("Use", thing_id=field(references="Thing"))
    await db["Thing"].create(code=key)
    await db["Use"].create(thing_id=key)

    (use,) = await records(db, "Use", include=["thing.uses"])
    assert use["thing"] == {"code": key, "uses": [{"id": 1, "thing_id": key}]}
    assert await db["Use"].count({"thing.code": key}) == 1


async def test_tables_of_others_need_no_foreign_keys(
    other: Driver, database_url: str
) -> None:
    texts = (
        "CREATE TABLE customers (id int PRIMARY KEY, name varchar(9), city text)",
        "CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total int)",
        "INSERT INTO customers VALUES (1, 'Ada', NULL), (2, 'Bob', NULL)",
        "INSERT INTO orders VALUES (1, 2, 5), (2, 99, 6), (3, NULL, 7)",
    )
    async with other.acquire() as connection:
        await connection.run([Statement(text) for text in texts])
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        for cls in CLASSES:
            db.model(cls)
        found = await records(db, "Order", include=["customer"])

        assert [each["customer"] and each["customer"]["name"] for each in found] == [
            "Bob",
            None,
            None,
        ]
        assert await db["Customer"].count({"orders": {"$some": {}}}) == 1
    db.close()


async def test_models_declared_later_bring_their_tables(db: DataFlow) -> None:
    db.model(Customer)
    await db["Customer"].create(name="Ada")
    assert await records(db, "Customer") != []
    db.model(Order)

    assert (await records(db, "Customer", include=["orders"]))[0]["orders"] == []
    assert await db["Customer"].count({"orders": {"$none": {}}}) == 1


# -- one moment -------------------------------------------------------------------


async def test_rows_and_related_rows_are_of_one_moment(
    shop: DataFlow, other: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def change(*given: Any) -> None:
        # Somebody else commits between the list and what belongs to it.
        if other.dialect.name == "postgresql" or not changed:
            changed.append(1)
            async with other.acquire() as connection:
                await connection.run([Statement("UPDATE customers SET name = 'X'")])
        await load(*given)

    changed: list[int] = []
    for kind in ("_list", "_read"):
        monkeypatch.setattr(f"dataflow.nodes.model.kinds.{kind}.load", change)
    found = await records(shop, "Order", include=["customer"], limit=1)

    assert found[0]["customer"]["name"] == "Ada"
    assert changed


async def test_a_table_that_changes_meanwhile_is_read_again(
    shop: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [0, 1]

    async def fail(*given: Any) -> None:
        if failures.pop():
            message = "a table changed"
            raise TransactionConflictError(message, "0A000")
        await load(*given)

    monkeypatch.setattr("dataflow.nodes.model.kinds._list.load", fail)

    assert (await records(shop, "Order", include=["customer"]))[0]["customer"]
    assert failures == []


@pytest.mark.postgres
async def test_who_is_cancelled_while_related_rows_are_locked_leaves_nothing_behind(
    postgres_url: str, bridge: Bridge
) -> None:
    other = connect(parse_url(postgres_url), bridge, pool_size=1)
    async with DataFlow(postgres_url, pool_size=1) as db:
        for cls in (Order, Customer):
            db.model(cls)
        await db["Customer"].create(name="Ada")
        await db["Order"].create(customer_id=1, total=1)
        async with other.acquire() as connection, connection.transaction():
            await connection.run([Statement("LOCK TABLE customers")])
            with anyio.move_on_after(0.3) as scope:
                await records(db, "Order", include=["customer"])
        found = await records(db, "Order", include=["customer"])

        assert scope.cancelled_caught
        assert found[0]["customer"]["name"] == "Ada"
        assert (await db["Customer"].update(1, name="Eve"))["updated"]
    db.close()
    await other.aclose()


# -- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "problem"),
    [
        (["custmer"], "did you mean 'customer'"),
        (["customer.ordrs"], "did you mean 'orders'"),
        (["total"], "valid names are customer, lines"),
        (["customer."], "valid names are orders"),
        ([""], "valid names are customer, lines"),
        ([5], "int in it"),
        (5, "a list of relations"),
        ([".".join(["customer", "orders"] * 5)], "paths of at most 8"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_cannot_be_included_is_refused(
    shop: DataFlow, include: Any, problem: str
) -> None:
    orders = shop["Order"]
    for call in (orders.list(include=include), orders.read(1, include=include)):
        with pytest.raises((UnknownFieldError, FieldValueError)) as caught:
            await call
        assert problem in str(caught.value)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_request_includes_a_bounded_number_of_relations(shop: DataFlow) -> None:
    def ways(depth: int) -> list[str]:
        return [""] if not depth else [f"{way}.{name}" for way in ways(depth - 1)
                                       for name in ("staff", "boss")]  # fmt: skip

    paths = [way.removeprefix(".") for way in ways(4)]  # 2 + 4 + 8 + 16 relations
    assert await shop["Employee"].list(include=paths)
    with pytest.raises(FieldValueError, match="at most 32 relations"):
        await shop["Employee"].list(include=[*paths, f"{paths[0]}.boss.boss.boss"])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_key_may_be_called_include(db: DataFlow) -> None:
    class Rule:
        include: str = field(primary_key=True)

    db.model(Rule)
    await db["Rule"].create(include="*.py")

    assert await db["Rule"].read(include="*.py") == {"include": "*.py", "found": True}


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield
