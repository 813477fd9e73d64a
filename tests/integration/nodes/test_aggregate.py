from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Driver
from dataflow.errors import (
    EdgeError,
    FieldValueError,
    FilterError,
    MissingFieldError,
    OutOfRangeError,
    StoredValueError,
    UnknownFieldError,
    WorkflowError,
)
from dataflow.models import Digits
from dataflow.protection import ReadOnly
from dataflow.sql import Statement, columns

Ask = Callable[..., Awaitable[Any]]

N = {"n": {"$count": "*"}}
LARGE = 2**63 - 1


@pytest.fixture
async def sale(db: DataFlow) -> type:
    @db.model
    class Sale:
        country: str | None
        amount: int
        price: Annotated[Decimal, Digits(10, 2)]
        weight: float = 0.5
        sold: datetime | None = None
        tags: list[str] = field(default_factory=list[str])

    rows: list[tuple[str | None, int, str]] = [
        ("CH", LARGE, "1.50"),
        ("CH", LARGE, "2.25"),
        ("AT", 1, "0.10"),
        (None, -5, "9.99"),
    ]
    await db[Sale].bulk_create(
        [
            {
                "country": country,
                "amount": amount,
                "price": Decimal(price),
                "sold": datetime(2026, 1, len(price), tzinfo=UTC),
            }
            for country, amount, price in rows
        ]
    )
    return Sale


@pytest.mark.usefixtures("sale")
async def test_groups_come_with_what_is_computed_of_each(ask: Ask) -> None:
    result = await ask(
        "SaleAggregateNode",
        group_by="country",
        aggregates={
            "revenue": {"$sum": "amount"},
            "n": {"$count": "*"},
            "cheapest": {"$min": "price"},
            "mean": {"$avg": "price"},
            "weight": {"$sum": "weight"},
        },
    )

    assert result == {
        "groups": [
            {
                "country": None,
                "revenue": -5,
                "n": 1,
                "cheapest": Decimal("9.99"),
                "mean": Decimal("9.99"),
                "weight": 0.5,
            },
            {
                "country": "AT",
                "revenue": 1,
                "n": 1,
                "cheapest": Decimal("0.10"),
                "mean": Decimal("0.10"),
                "weight": 0.5,
            },
            {
                "country": "CH",
                "revenue": 2 * LARGE,
                "n": 2,
                "cheapest": Decimal("1.50"),
                "mean": Decimal("1.875"),
                "weight": 1.0,
            },
        ],
        "count": 3,
    }
    assert str(result["groups"][1]["mean"]) == "0.10"


async def test_no_rows_are_one_group_or_none(db: DataFlow, sale: type) -> None:
    nothing = {
        "n": {"$count": "*"},
        "sellers": {"$countDistinct": "country"},
        "sum": {"$sum": "amount"},
        "mean": {"$avg": "price"},
        "mass": {"$avg": "weight"},
        "heavy": {"$sum": "weight"},
        "last": {"$max": "sold"},
    }
    where = {"id": {"$gt": 100}}
    whole = await db[sale].aggregate(nothing, filter=where)
    grouped = await db[sale].aggregate(nothing, filter=where, group_by=["country"])

    assert whole["groups"] == [
        {"n": 0, "sellers": 0} | dict.fromkeys(("sum", "mean", "mass", "heavy", "last"))
    ]
    assert grouped == {"groups": [], "count": 0}


async def test_groups_are_filtered_ordered_and_cut(db: DataFlow, sale: type) -> None:
    async def countries(**how: Any) -> list[str | None]:
        asked = {"total": {"$sum": "amount"}, "n": {"$count": "*"}}
        page = await db[sale].aggregate(asked, group_by=["country"], **how)
        assert page["count"] == len(page["groups"])
        return [group["country"] for group in page["groups"]]

    it = columns(sale)
    assert await countries(order_by="-total") == ["CH", "AT", None]
    assert await countries(order_by={"n": -1}, limit=2) == ["CH", None]
    assert await countries(order_by="n", offset=1) == ["AT", "CH"]
    assert await countries(limit=0) == []
    assert await countries(having={"total": {"$gt": LARGE}}) == ["CH"]
    assert await countries(having={"$or": [{"n": 2}, {"country": None}]}) == [
        None,
        "CH",
    ]
    assert await countries(filter=it.amount > 0, having={"n": {"$lt": 2}}) == ["AT"]
    last = {"field": "country", "nulls": "last"}
    assert await countries(order_by=[last]) == ["AT", "CH", None]


@pytest.mark.usefixtures("sale")
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, MissingFieldError, "needs 'aggregates'"),
        ({"aggregates": {}}, FilterError, "aggregates: takes a mapping such as"),
        ({"aggregates": N, "group": "country"}, UnknownFieldError, "'group_by'"),
        ({"aggregates": N, "group_by": "contry"}, UnknownFieldError, "'country'"),
        ({"aggregates": N, "group_by": ["tags"]}, FieldValueError, "not 'tags', which"),
        ({"aggregates": N, "group_by": 3}, FieldValueError, "a list of names, not int"),
        ({"aggregates": N, "having": {"nn": 1}}, FilterError, "having.nn"),
        ({"aggregates": N, "having": {"amount": 1}}, FilterError, "has no 'amount'"),
        ({"aggregates": N, "having": {"n": "1"}}, FilterError, "having.n: takes int"),
        ({"aggregates": N, "having": 3}, FilterError, "having: expected a mapping"),
        ({"aggregates": N, "order_by": "amount"}, FilterError, "has no 'amount'"),
        ({"aggregates": N, "filter": {"n": 1}}, FilterError, "Sale has no 'n'"),
        ({"aggregates": N, "limit": -1}, FieldValueError, "limit"),
        ({"aggregates": N, "limit": "3"}, FieldValueError, "limit"),
        ({"aggregates": N, "offset": -1}, FieldValueError, "offset"),
        (
            {"aggregates": {"country": {"$count": "*"}}, "group_by": "country"},
            FilterError,
            "aggregates.country: is a field the rows are grouped by",
        ),
        (
            {"aggregates": {"x": {"$avg": "country"}}},
            FilterError,
            "'country' is str: takes int, float or Decimal, such as id, amount, price",
        ),
    ],
    ids=str,
)
async def test_what_is_no_aggregate_is_refused(
    given: dict[str, Any], error: type[Exception], words: str, ask: Ask
) -> None:
    with pytest.raises(error) as caught:
        await ask("SaleAggregateNode", **given)

    assert words in str(caught.value)


async def test_parameters_may_come_from_other_nodes(db: DataFlow, sale: type) -> None:
    def question() -> dict[str, Any]:
        return {"by": ["country"], "what": {"total": {"$sum": "amount"}}}

    flow = db.workflow()
    flow.add_node(question, "question")
    flow.add_node(
        "SaleAggregateNode",
        "it",
        {"having": {"total": {"$lt": 9}}, "order_by": "-total"},
    )
    flow.add_connection("question", "by", "it", "group_by")
    flow.add_connection("question", "what", "it", "aggregates")
    flow.add_node("SaleListNode", "all", {"filter": {}})
    flow.add_connection("it", "count", "all", "limit")
    results, _ = await db.run(flow.build())

    assert [each["total"] for each in results["it"]["groups"]] == [1, -5]
    assert results["all"]["count"] == 2


async def test_what_is_known_is_checked_when_a_workflow_is_built(
    db: DataFlow, sale: type
) -> None:
    def names() -> dict[str, Any]:
        return {"by": ["amount"], "what": N}

    async def built(given: dict[str, Any], *arriving: str) -> None:
        flow = db.workflow()
        flow.add_node(names, "names")
        flow.add_node("SaleAggregateNode", "it", given)
        for name in arriving:
            output = "by" if name == "group_by" else "what"
            flow.add_connection("names", output, "it", name)
        workflow = flow.build()
        with anyio.fail_after(20):
            await db.run(workflow)

    for given, arriving, error in (
        ({"group_by": "country"}, (), MissingFieldError),
        ({"group_by": "contry"}, ("aggregates",), UnknownFieldError),
        ({"filter": {"n": 1}}, ("aggregates",), FilterError),
        ({}, ("group_by",), MissingFieldError),
        ({"aggregates": {"n": {"$cont": "*"}}}, ("group_by",), FilterError),
    ):
        with pytest.raises(error):
            await built(given, *arriving)
    with pytest.raises(WorkflowError) as caught:  # known only as it runs
        await built({"aggregates": {"amount": {"$count": "*"}}}, "group_by")
    assert isinstance(caught.value.__cause__, FilterError)
    with pytest.raises(WorkflowError):
        await built({"having": {"nn": 1}}, "aggregates")
    with pytest.raises(EdgeError):
        await built({}, "aggregate")


async def test_a_sum_that_no_float_holds_is_out_of_range(
    db: DataFlow, sale: type
) -> None:
    await db[sale].bulk_update(filter={"amount": LARGE}, update={"weight": 1.7e308})
    for function in ("$sum", "$avg"):
        with pytest.raises(OutOfRangeError, match="beyond what a float holds"):
            await db[sale].aggregate({"it": {function: "weight"}})

    small = await db[sale].aggregate({"it": {"$sum": "weight"}}, filter={"amount": 1})
    assert small["groups"] == [{"it": 0.5}]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


async def test_a_stored_value_that_its_field_does_not_have_is_named(
    db: DataFlow, other: Driver
) -> None:
    @db.model
    class Paint:
        color: Color
        free: Decimal = Decimal(1)

    await db[Paint].create(color=Color.RED)
    foreign = "INSERT INTO paints (color, free) VALUES ('green', {})"
    is_sqlite = other.dialect.name == "sqlite"
    async with other.acquire() as connection:
        text = foreign.format("'x'" if is_sqlite else "'NaN'")
        await connection.run([Statement(text)])

    fine = await db[Paint].aggregate({"n": {"$count": "color"}})
    with pytest.raises(StoredValueError) as least:
        await db[Paint].aggregate({"least": {"$min": "color"}})
    with pytest.raises(StoredValueError):
        await db[Paint].aggregate(N, group_by="color")

    assert fine["groups"] == [{"n": 2}]
    assert (least.value.model, least.value.field) == ("Paint", "color")
    for function in ("$sum", "$avg"):
        with pytest.raises(StoredValueError) as total:
            await db[Paint].aggregate({"it": {function: "free"}})

        assert (total.value.model, total.value.field) == ("Paint", "free")


async def test_a_protected_model_may_be_counted(
    database_url: str, db: DataFlow, sale: type
) -> None:
    protected = DataFlow(database_url, interceptors=[ReadOnly()])
    protected.model(sale)
    async with protected:
        found = await protected["Sale"].aggregate(N)
    protected.close()

    assert found == {"groups": [{"n": 4}], "count": 1}


async def test_many_questions_at_once_get_their_own_answers(
    db: DataFlow,
    sale: type,
    at_once: Callable[[list[Awaitable[Any]]], Awaitable[list[Any]]],
) -> None:
    asked: list[Awaitable[Any]] = [
        db[sale].aggregate({f"n{each}": {"$count": "*"}}, filter={"id": each % 5})
        for each in range(40)
    ]
    answers = await at_once(asked)

    assert [answer["groups"] for answer in answers] == [
        [{f"n{each}": int(each % 5 > 0)}] for each in range(40)
    ]


@pytest.mark.slow
async def test_one_that_is_cancelled_leaves_its_connection_of_use(
    db: DataFlow,
) -> None:
    @db.model
    class Sum:
        free: Decimal  # added in Python on SQLite

    await db[Sum].bulk_create([{"free": Decimal(each)} for each in range(20_000)])
    asked = {"total": {"$sum": "free"}, "n": {"$countDistinct": "free"}}
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):  # more than there are connections
                tasks.start_soon(db[Sum].aggregate, asked)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        found = await db[Sum].aggregate(asked)

    assert found["groups"] == [{"total": Decimal(199_990_000), "n": 20_000}]
