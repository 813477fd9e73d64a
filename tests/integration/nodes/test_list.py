from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import (
    FieldValueError,
    FilterError,
    StoredValueError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]

DAY = datetime(2024, 2, 28, tzinfo=UTC)


@pytest.fixture
async def user(db: DataFlow) -> type:
    @db.model
    class User:
        name: str
        age: int | None = None
        born: datetime | None = None

    names = ["John", "Anna", "Johanna", "john", "Ö", "Zoe"]
    await db[User].bulk_create(
        [
            {"name": name, "age": age, "born": DAY + timedelta(days=age or 0)}
            for name, age in zip(names, [30, 20, None, 30, 50, 40], strict=True)
        ]
    )
    return User


@pytest.mark.usefixtures("user")
async def test_a_page_is_told_in_full(ask: Ask) -> None:
    page = await ask("UserListNode", filter={"name": "Anna"}, limit=5)

    assert page == {
        "records": [{"id": 2, "name": "Anna", "age": 20, "born": DAY + timedelta(20)}],
        "count": 1,
        "limit": 5,
        "offset": 0,
        "next_cursor": None,
    }


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"order_by": "name"}, [2, 3, 1, 6, 4, 5]),
        ({"order_by": ["-age", "name"]}, [5, 6, 1, 4, 2, 3]),
        ({"order_by": ["age", "-id"]}, [3, 2, 4, 1, 6, 5]),
        ({"order_by": {"age": -1}, "limit": 1}, [5]),
        ({"sort": [{"field": "age", "order": "desc"}], "limit": 2}, [5, 6]),
        ({"order_by": ["-born"], "limit": 2, "offset": 1}, [6, 1]),
        ({"filter": {"age": {"$gt": 20, "$lt": 50}}}, [1, 4, 6]),
        ({"filter": {"name": {"$regex": "^John?"}}}, [1, 3]),
        ({"filter": {"name": {"$in": []}}}, []),
        ({"filter": {"$or": [{"age": None}, {"age": 50}]}}, [3, 5]),
        ({"filter": {"born": {"$lt": DAY + timedelta(1)}}}, [3]),
        ({"filter": None, "limit": None}, [1, 2, 3, 4, 5, 6]),
        ({"limit": 0}, []),
        ({"offset": 9}, []),
        ({"limit": 2**63 - 1}, [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_the_same_rows_come_in_the_same_order_from_both_databases(
    given: dict[str, object], ids: list[int], ask: Ask
) -> None:
    page = await ask("UserListNode", **given)

    assert [row["id"] for row in page["records"]] == ids
    assert page["count"] == len(ids)


@pytest.mark.usefixtures("user")
async def test_ten_rows_are_a_page_when_nothing_is_said(
    db: DataFlow, user: type, ask: Ask
) -> None:
    await db[user].bulk_create([{"name": "more"} for _ in range(10)])
    page = await ask("UserListNode")
    everything = await ask("UserListNode", limit=None)

    assert (page["count"], page["limit"]) == (10, 10)
    assert page["next_cursor"] is not None
    assert (everything["count"], everything["limit"]) == (16, None)
    assert everything["next_cursor"] is None


@pytest.mark.parametrize(
    "order_by", [None, "name", ["-age"], ["age", "-name"], ["-born"], "-id"]
)
async def test_pages_follow_each_other_by_their_cursors(
    order_by: object, db: DataFlow, user: type, ask: Ask
) -> None:
    given = {"filter": {"id": {"$gt": 1}}, "order_by": order_by}
    whole = (await ask("UserListNode", **given, limit=None))["records"]
    found: list[object] = []
    cursor = None
    for _ in range(3):
        page = await ask("UserListNode", **given, limit=2, cursor=cursor)
        found += page["records"]
        cursor = page["next_cursor"]

    assert found == whole
    assert cursor is None
    streamed = db[user].stream({"id": {"$gt": 1}}, order_by=order_by, page=2)
    assert [record async for record in streamed] == whole


@pytest.mark.usefixtures("user")
async def test_the_total_is_counted_when_asked_for(ask: Ask) -> None:
    page = await ask("UserListNode", filter={"age": 30}, limit=1, count=True)
    beyond = await ask("UserListNode", limit=0, count=True)

    assert (page["count"], page["total"]) == (1, 2)
    assert (beyond["count"], beyond["total"]) == (0, 6)


@pytest.mark.usefixtures("user")
async def test_only_the_fields_asked_for_come_in_their_order(
    db: DataFlow, user: type, ask: Ask
) -> None:
    page = await ask(
        "UserListNode", fields=["age", "name", "age"], order_by="-id", limit=1
    )
    following = await ask(
        "UserListNode",
        fields=["name"],
        order_by="-id",
        limit=1,
        cursor=page["next_cursor"],
    )

    assert page["records"] == [{"age": 40, "name": "Zoe"}]
    assert list(page["records"][0]) == ["age", "name"]
    assert following["records"] == [{"name": "Ö"}]
    streamed = db[user].stream(fields=["name"], order_by="-id", page=4)
    assert [record["name"] async for record in streamed][:2] == ["Zoe", "Ö"]


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"filter": {"agee": 1}}, FilterError),
        ({"filter": {"age": "20"}}, FilterError),
        ({"filter": "age > 20"}, FilterError),
        ({"order_by": "agee"}, FilterError),
        ({"order_by": "age", "sort": "name"}, FieldValueError),
        ({"limit": -1}, FieldValueError),
        ({"limit": "10"}, FieldValueError),
        ({"limit": True}, FieldValueError),
        ({"limit": 2**63}, FieldValueError),
        ({"offset": -1}, FieldValueError),
        ({"offset": None}, FieldValueError),
        ({"fields": []}, FieldValueError),
        ({"fields": "name"}, FieldValueError),
        ({"fields": ["nme"]}, UnknownFieldError),
        ({"fields": [3]}, UnknownFieldError),
        ({"count": 1}, FieldValueError),
        ({"cursor": "nonsense"}, FilterError),
        ({"cursor": 3}, FieldValueError),
        ({"page": 2}, UnknownFieldError),
    ],
)
async def test_what_is_no_page_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserListNode", **given)


@pytest.mark.usefixtures("user")
async def test_a_cursor_belongs_to_its_order_and_filter(ask: Ask) -> None:
    cursor = (await ask("UserListNode", limit=1))["next_cursor"]
    with pytest.raises(FilterError, match="another filter or order"):
        await ask("UserListNode", limit=1, cursor=cursor, order_by="-id")
    with pytest.raises(FilterError, match="another filter or order"):
        await ask("UserListNode", limit=1, cursor=cursor, filter={"id": 1})
    with pytest.raises(FieldValueError):
        await ask("UserListNode", limit=1, cursor=cursor, offset=1)


async def test_counting_takes_a_filter(db: DataFlow, user: type, ask: Ask) -> None:
    assert await ask("UserCountNode") == {"count": 6}
    assert await ask("UserCountNode", filter={"age": 30}) == {"count": 2}
    assert await db[user].count({"age": {"$null": True}}) == 1
    with pytest.raises(UnknownFieldError):
        await ask("UserCountNode", limit=1)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


async def test_a_stored_value_that_its_field_does_not_have_is_named(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class Free:
        __tablename__ = "paints"
        color: str

    @db.model
    class Paint:
        __tablename__ = "paints"
        color: Color

    await db[Free].bulk_create([{"color": "red"}] * 1_500 + [{"color": "green"}])
    good = await ask("PaintListNode", limit=1_400)
    with pytest.raises(StoredValueError) as caught:
        await ask("PaintListNode", limit=None, count=True)
    with pytest.raises(StoredValueError):
        await db[Paint].list(fields=["color"], order_by="-id")
    again = await db[Paint].count()

    assert [each["color"] for each in good["records"]] == [Color.RED] * 1_400
    assert (caught.value.model, caught.value.field) == ("Paint", "color")
    assert again == 1_501
