"""Rows of other models: by relations, in filters and in replies, and in streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, Records, field
from dataflow.errors import BlockedError
from dataflow.protection import Policy, allow, deny, require_approval

Call = Callable[[Records], Awaitable[Any]]


def declare(db: DataFlow) -> None:
    @db.model
    class Customer:
        name: str
        mail: str | None = field(default=None, pii="email")
        is_secret: bool = False

    @db.model
    class Order:
        number: str
        customer_id: int = field(references="Customer", backref="orders")


@pytest.fixture
async def url(database_url: str) -> str:
    plain = DataFlow(database_url)
    declare(plain)
    async with plain:
        await plain["Customer"].create(name="Ada", mail="ada@example.org")
        await plain["Customer"].create(name="Bob", is_secret=True)
        await plain["Order"].bulk_create(
            [{"number": f"A-{n}", "customer_id": 1 + n % 2} for n in range(4)]
        )
    plain.close()
    return database_url


@pytest.fixture
def opened(url: str) -> Callable[[Any], Any]:
    from contextlib import asynccontextmanager  # noqa: PLC0415  # only here

    @asynccontextmanager
    async def opened(protection: Any) -> AsyncGenerator[DataFlow]:
        db = DataFlow(url, protection=protection)
        declare(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return opened


async def streamed(rows: Records, **how: Any) -> list[dict[str, Any]]:
    return [row async for row in rows.stream(**how)]


READS: dict[str, Call] = {
    "include": lambda r: r.list(include=["customer"]),
    "include of one": lambda r: r.read(1, include=["customer"]),
    "stream with include": lambda r: streamed(r, include=["customer"]),
    "filter": lambda r: r.list(filter={"customer": {"name": "Ada"}}),
    "filter by a path": lambda r: r.list(filter={"customer.name": "Ada"}),
    "count": lambda r: r.count({"customer": {"name": "Ada"}}),
    "negation": lambda r: r.count({"$not": {"$or": [{"customer.name": "Ada"}]}}),
    "aggregate": lambda r: r.aggregate(
        {"n": {"$count": "*"}}, filter={"customer.name": "Ada"}
    ),
    "explain": lambda r: r.explain(filter={"customer.name": "Ada"}),
    "update": lambda r: r.bulk_update(
        filter={"customer.name": "Ada"}, update={"number": "x"}
    ),
    "delete": lambda r: r.bulk_delete(filter={"customer.name": "Ada"}),
}


async def passed(db: DataFlow, calls: dict[str, Call], model: str) -> list[str]:
    names: list[str] = []
    for name, call in calls.items():
        try:
            await call(db[model])
        except BlockedError:
            continue
        names.append(name)
    return names


@pytest.mark.parametrize(
    "policy",
    [
        deny("read", models="Customer"),
        require_approval("read", models="Customer"),
        Policy((allow(models="Order"),), "deny"),
    ],
    ids=["denied", "approval", "default"],
)
async def test_what_may_not_be_read_is_not_read_by_way_of_another(
    opened: Any, policy: Any
) -> None:
    async with opened(policy) as db:
        names = await passed(db, READS, "Order")
        plain = await db["Order"].list(filter={"number": "A-0"})

    assert names == []
    assert plain["count"] == 1


async def test_related_rows_that_may_not_be_read_are_not_there(opened: Any) -> None:
    rule = deny("read", models="Customer", when={"old.is_secret": True})
    async with opened(rule) as db:
        orders = db["Order"]
        page = await orders.list(include=["customer"], order_by="id")
        stream = await streamed(orders, include=["customer"], order_by="id")
        one = await orders.count({"customer": {"name": {"$ne": "x"}}})
        none = await orders.count({"customer": None})
        back = await db["Customer"].count({"orders": {"$some": {"number": "A-1"}}})

    names = [row["customer"] and row["customer"]["name"] for row in page["records"]]
    assert names == ["Ada", None, "Ada", None]
    assert [row["customer"] for row in stream] == [
        row["customer"] for row in page["records"]
    ]
    assert (one, none, back) == (2, 2, 0)


async def test_a_field_that_is_masked_is_masked_in_related_rows(opened: Any) -> None:
    see = allow("unmask", when={"principal": "ada"})
    asked: dict[str, Call] = {
        "filter": lambda r: r.list(filter={"customer.mail": "ada@example.org"}),
        "inside": lambda r: r.count({"customer": {"mail": {"$like": "a%"}}}),
    }
    async with opened(see) as db:
        page = await db["Order"].list(include=["customer"], filter={"id": 1})
        stream = await streamed(db["Order"], include=["customer"])
        customers = await streamed(db["Customer"])
        back = await db["Customer"].read(1, include=["orders.customer"])
        names = await passed(db, asked, "Order")
        with db.acting("ada"):
            seen = await db["Order"].list(include=["customer"], filter={"id": 1})
            seen_names = await passed(db, asked, "Order")

    assert page["records"][0]["customer"]["mail"] == "a***@example.org"
    mails = {row["customer"]["mail"] for row in stream}
    assert mails == {"a***@example.org", None}
    assert {row["mail"] for row in customers} == mails
    assert back["orders"][0]["customer"]["mail"] == "a***@example.org"
    assert names == []
    assert seen["records"][0]["customer"]["mail"] == "ada@example.org"
    assert seen_names == ["filter", "inside"]


async def test_streams_and_explanations_keep_to_rules(opened: Any) -> None:
    rule = deny("read", models="Order", when={"old.number": "A-1"})
    async with opened(rule) as db:
        rows = await streamed(db["Order"], batch_size=1)
        explanation = await db["Order"].explain(analyze=True)
    async with opened(deny(["stream", "explain"])) as db:
        names = await passed(
            db,
            {"stream": streamed, "explain": lambda r: r.explain()},
            "Order",
        )

    assert [row["number"] for row in rows] == ["A-0", "A-2", "A-3"]
    assert explanation.rows == 3
    assert names == []


async def test_a_row_that_refers_to_nothing_is_refused_under_rules_too(
    opened: Any,
) -> None:
    from dataflow.errors import ForeignKeyError  # noqa: PLC0415  # only here

    async with opened(deny("write", models="Order", when={"new.number": "x"})) as db:
        with pytest.raises(ForeignKeyError):
            await db["Order"].create(number="B", customer_id=99)
        with pytest.raises(ForeignKeyError):
            await db["Order"].bulk_create([{"number": "B", "customer_id": 99}])

        assert await db["Order"].count() == 4
