"""Which fields a list has, whether combinations come once, and where NULL comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from dataflow import DataFlow, field
from dataflow.errors import FieldValueError, FilterError, UnknownFieldError

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def shop(db: DataFlow) -> type:
    @db.model
    class Shop:
        country: str | None
        city: str
        size: Decimal | None = None
        tags: list[str] = field(default_factory=list[str])

    rows = [
        ("CH", "Bern", "1.5"),
        ("CH", "Basel", "1.50"),
        ("CH", "Bern", None),
        (None, "Bern", "10"),
        (None, "Bern", "9"),
        ("AT", "Wien", "10"),
        ("at", "Wien", "10"),
    ]
    await db[Shop].bulk_create(
        [
            {"country": country, "city": city, "size": size and Decimal(size)}
            for country, city, size in rows
        ]
    )
    return Shop


# -- distinct ---------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "given",
    [
        {"distinct": ["country"]},
        {"distinct": ("country", "country")},
        {"distinct": True, "fields": ["country"]},
        {"distinct": True, "exclude": ["id", "city", "size", "tags"]},
    ],
    ids=str,
)
async def test_each_value_comes_once_in_order(given: dict[str, Any], ask: Ask) -> None:
    page = await ask("ShopListNode", **given, count=True)

    assert page == {
        "records": [{"country": each} for each in (None, "AT", "CH", "at")],
        "count": 4,
        "limit": 10,
        "offset": 0,
        "next_cursor": None,
        "total": 4,
    }


@pytest.mark.usefixtures("shop")
async def test_each_combination_comes_once_in_any_order_of_its_fields(ask: Ask) -> None:
    page = await ask(
        "ShopListNode",
        distinct=["city", "country"],
        filter={"country": {"$ne": "at"}},
        order_by="-city",
        limit=3,
        offset=1,
        count=True,
    )

    assert page["records"] == [
        {"city": "Bern", "country": None},
        {"city": "Bern", "country": "CH"},
        {"city": "Basel", "country": "CH"},
    ]
    assert list(page["records"][0]) == ["city", "country"]
    assert page["total"] == 4


@pytest.mark.usefixtures("shop")
async def test_numbers_are_the_same_whatever_zeros_they_end_in(ask: Ask) -> None:
    page = await ask("ShopListNode", distinct=["size"], order_by="-size")

    assert [row["size"] for row in page["records"]] == [
        Decimal(10),
        Decimal(9),
        Decimal("1.5"),
        None,
    ]


@pytest.mark.parametrize(
    "order_by", [None, "-country", [{"field": "country", "nulls": "last"}]]
)
async def test_pages_of_combinations_follow_each_other(
    order_by: object, db: DataFlow, shop: type
) -> None:
    for names, count in ((["country", "city", "size"], 7), (["country"], 4)):
        whole = await db[shop].list(distinct=names, order_by=order_by)
        streamed = db[shop].stream(
            distinct=True, fields=names, order_by=order_by, page=2
        )

        assert whole["count"] == count
        assert [record async for record in streamed] == whole["records"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"distinct": True}, FieldValueError, "True beside fields"),
        ({"distinct": []}, FieldValueError, "distinct takes a list of field names"),
        ({"distinct": "country"}, FieldValueError, "a list of field names, not str"),
        ({"distinct": ["contry"]}, UnknownFieldError, "did you mean 'country'"),
        ({"distinct": ["tags"]}, FieldValueError, "'tags', which is list[str]"),
        ({"distinct": ["city"], "fields": ["city"]}, FieldValueError, "True beside"),
        ({"distinct": ["city"], "order_by": "id"}, FilterError, "with distinct has no"),
        ({"fields": ["city"], "exclude": ["id"]}, FieldValueError, "either fields or"),
        ({"exclude": ["citi"]}, UnknownFieldError, "did you mean 'city'"),
        ({"exclude": "city"}, FieldValueError, "a list of field names, not str"),
        (
            {"exclude": ["id", "country", "city", "size", "tags"]},
            FieldValueError,
            "exclude takes some of the fields, not all of them",
        ),
        ({"order_by": {"field": "city", "nulls": 1}}, FilterError, "'first' or 'last'"),
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(
    given: dict[str, Any], error: type[Exception], words: str, ask: Ask
) -> None:
    with pytest.raises(error) as caught:
        await ask("ShopListNode", **given)

    assert words in str(caught.value)


async def test_fields_that_arrive_may_be_distinct(db: DataFlow, shop: type) -> None:
    def choose() -> dict[str, Any]:
        return {"names": ["city"]}

    flow = db.workflow()
    flow.add_node(choose, "choose")
    flow.add_node("ShopListNode", "cities", {"distinct": True})
    flow.add_connection("choose", "names", "cities", "fields")
    results, _ = await db.run(flow.build())

    assert [each["city"] for each in results["cities"]["records"]] == [
        "Basel",
        "Bern",
        "Wien",
    ]


# -- exclude ----------------------------------------------------------------------


async def test_all_fields_but_some_come(db: DataFlow, shop: type, ask: Ask) -> None:
    page = await ask("ShopListNode", exclude=["tags", "id"], order_by="-id", limit=1)
    following = await db[shop].list(
        exclude=("tags", "id"), order_by="-id", limit=1, cursor=page["next_cursor"]
    )
    streamed = db[shop].stream(exclude=["tags"], page=3)
    whole = await db[shop].list(exclude=[], limit=1)

    assert page["records"] == [{"country": "at", "city": "Wien", "size": Decimal(10)}]
    assert following["records"][0]["country"] == "AT"
    assert [list(each) async for each in streamed] == [
        ["id", "country", "city", "size"]
    ] * 7
    assert "tags" in whole["records"][0]


# -- NULL -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "nulls"), [*product(("asc", "desc"), ("first", "LAST"))]
)
async def test_null_comes_where_it_is_wanted_on_every_page(
    order: str, nulls: str, db: DataFlow, shop: type
) -> None:
    by = [{"field": "country", "order": order, "nulls": nulls}, "-id"]
    page = await db[shop].list(order_by=by)
    streamed = db[shop].stream(order_by=by, page=1)
    countries: list[str | None] = [each["country"] for each in page["records"]]
    others = sorted((each for each in countries if each), reverse=order == "desc")

    assert countries == (
        [None, None, *others] if nulls == "first" else [*others, None, None]
    )
    assert [each async for each in streamed] == page["records"]


async def test_a_cursor_knows_where_null_comes(db: DataFlow, shop: type) -> None:
    def by(nulls: str) -> list[dict[str, str]]:
        return [{"field": "country", "nulls": nulls}]

    cursor = (await db[shop].list(order_by=by("last"), limit=1))["next_cursor"]
    with pytest.raises(FilterError, match="another filter or order"):
        await db[shop].list(order_by=by("first"), limit=1, cursor=cursor)
