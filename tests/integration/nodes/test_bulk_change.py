"""Bulk updates and deletes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from dataflow import DataFlow, Digits, field
from dataflow.errors import (
    ConfirmationRequiredError,
    DuplicateKeyError,
    FieldValueError,
    FilterError,
    MissingFieldError,
    OutOfRangeError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]

REPORT = {
    "processed": 0,
    "inserted": 0,
    "updated": 0,
    "skipped": 0,
    "failed": 0,
    "batch_size": 1_000,
    "success": True,
}

EVERYTHING: list[dict[str, Any] | None] = [
    {},
    None,
    {"$and": []},
    {"$or": [{"age": 1}, {}]},
    {"$nor": []},
]


@pytest.fixture
async def user(db: DataFlow) -> type:
    @db.model
    class User:
        __dataflow__: ClassVar = {"timestamps": True}

        name: str = field(unique=True)
        age: int = 0

    await db[User].bulk_create([{"name": name} for name in "abcde"])
    return User


async def ages(db: DataFlow, model: type) -> dict[str, int]:
    records = (await db[model].list())["records"]
    return {each["name"]: each["age"] for each in records}


# -- updates ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["update", "fields", "updates"])
async def test_all_rows_of_a_filter_are_changed(
    name: str, db: DataFlow, user: type, ask: Ask
) -> None:
    before = await db[user].read(1)
    given = {"filter": {"name": {"$in": ["a", "b"]}}, name: {"age": 7}}
    result = await ask("UserBulkUpdateNode", **given)
    after = await db[user].read(1)

    assert result == {
        **REPORT,
        "processed": 2,
        "updated": 2,
        "operation": "bulk_update",
    }
    assert await ages(db, user) == {"a": 7, "b": 7, "c": 0, "d": 0, "e": 0}
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("batch_size", [1, 2, 1_000])
async def test_each_row_of_the_data_gets_its_own_change(
    batch_size: int, db: DataFlow, user: type, ask: Ask
) -> None:
    result = await ask(
        "UserBulkUpdateNode",
        data=[
            {"id": 1, "age": 1},
            {"id": 2, "age": 2},
            {"id": 3, "name": "z"},
            {"id": 99, "age": 9},
        ],
        batch_size=batch_size,
    )

    assert result == {
        **REPORT,
        "processed": 4,
        "updated": 3,
        "skipped": 1,
        "batch_size": batch_size,
        "operation": "bulk_update",
    }
    assert await ages(db, user) == {"a": 1, "b": 2, "z": 0, "d": 0, "e": 0}


async def test_a_change_that_breaks_a_rule_changes_nothing(
    db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(DuplicateKeyError):
        await ask("UserBulkUpdateNode", filter={"id": {"$lt": 4}}, update={"name": "z"})
    data = [{"id": 1, "age": 9}, {"id": 2, "name": "c"}]
    with pytest.raises(DuplicateKeyError):
        await ask("UserBulkUpdateNode", data=data, batch_size=1, atomic=True)

    assert await ages(db, user) == dict.fromkeys("abcde", 0)


@pytest.mark.parametrize("given", EVERYTHING)
async def test_changing_every_row_must_be_meant(
    given: object, db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(ConfirmationRequiredError) as error:
        await ask("UserBulkUpdateNode", filter=given, update={"age": 1})
    untouched = await ages(db, user)
    result = await ask(
        "UserBulkUpdateNode", filter=given, update={"age": 1}, confirmed=True
    )

    assert error.value.node == "UserBulkUpdateNode 'it'"
    assert untouched == dict.fromkeys("abcde", 0)
    assert result["updated"] == 5


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"filter": {"id": 1}}, MissingFieldError),
        ({"filter": {"id": 1}, "update": {}}, FieldValueError),
        ({"filter": {"id": 1}, "update": {"agee": 1}}, UnknownFieldError),
        ({"filter": {"id": 1}, "update": {"age": "1"}}, FieldValueError),
        ({"filter": {"id": 1}, "update": {"age": 1}, "fields": {}}, FieldValueError),
        ({"filter": {"idd": 1}, "update": {"age": 1}}, FilterError),
        ({"data": [{"age": 1}]}, MissingFieldError),
        ({"data": [{"id": 1}]}, MissingFieldError),
        ({"data": [{"id": None, "age": 1}]}, FieldValueError),
        ({"data": [{"id": 1, "age": 1}], "filter": {"id": 1}}, FieldValueError),
        ({"data": [{"id": 1, "age": 1}], "update": {"age": 1}}, FieldValueError),
        ({"data": "id"}, FieldValueError),
        ({"ids": [1], "update": {"age": 1}}, UnknownFieldError),
    ],
)
async def test_what_is_no_bulk_update_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserBulkUpdateNode", **given)


class Sized(msgspec.Struct):
    """A document with fields of its own."""

    size: int = 0


@pytest.fixture
async def item(db: DataFlow) -> type:
    @db.model
    class Item:
        __dataflow__: ClassVar = {"timestamps": True}

        name: str
        stock: int | None = 0
        weight: float = 0.0
        price: Annotated[Decimal, Digits(8, 2)] = Decimal(0)
        rate: Decimal = Decimal(1)
        wait: timedelta = timedelta()
        meta: dict[str, Any] = {}  # noqa: RUF012  # copied
        tags: list[str] = []  # noqa: RUF012
        sized: Sized = Sized()

    await db[Item].bulk_create(
        [
            {"name": "a", "stock": 5, "price": Decimal("19.90"), "weight": 1.5},
            {"name": "b", "stock": None, "price": Decimal("0.05")},
            {"name": "c", "stock": 2**63 - 1},
        ]
    )
    return Item


async def test_a_change_may_be_computed_from_what_is_stored(
    db: DataFlow, item: type, ask: Ask
) -> None:
    before = await db[item].read(1)
    result = await ask(
        "ItemBulkUpdateNode",
        filter={"name": {"$ne": "c"}},
        update={
            "stock": {"$inc": -2},
            "weight": {"$mul": 3},
            "price": {"$mul": 20},
            "rate": {"$mul": Decimal("0.5")},
            "wait": {"$inc": timedelta(seconds=5)},
            "name": {"$set": "z"},
            "tags": ["new"],
        },
    )
    first, second = await db[item].read(1), await db[item].read(2)

    assert result["updated"] == 2
    assert first["updated_at"] > before["updated_at"]
    assert first == {
        **before,
        "updated_at": first["updated_at"],
        "name": "z",
        "stock": 3,
        "weight": 4.5,
        "price": Decimal("398.00"),
        "rate": Decimal("0.5"),
        "wait": timedelta(seconds=5),
        "tags": ["new"],
    }
    assert (second["stock"], second["price"]) == (None, Decimal("1.00"))


async def test_a_dict_for_a_field_that_holds_dicts_is_always_a_value(
    db: DataFlow, item: type, ask: Ask
) -> None:
    await ask(
        "ItemBulkUpdateNode",
        filter={"id": 1},
        update={"meta": {"$inc": 1}, "sized": {"size": 4}, "stock": {"$set": None}},
    )
    stored = await db[item].read(1)

    assert stored["meta"] == {"$inc": 1}
    assert (stored["sized"], stored["stock"]) == (Sized(4), None)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"stock": {"$inc": 1}}, ("stock",)),
        ({"stock": {"$mul": -2}}, ("stock",)),
        ({"price": {"$mul": Decimal("0.5")}}, ("price",)),
        ({"price": {"$inc": Decimal("999999.99")}}, ("price",)),
        (
            {"weight": {"$inc": 1}, "rate": {"$mul": 10**999}, "stock": {"$inc": 1}},
            None,
        ),
    ],
)
async def test_a_result_that_does_not_fit_changes_nothing(
    change: dict[str, object],
    fields: tuple[str, ...] | None,
    db: DataFlow,
    item: type,
    ask: Ask,
) -> None:
    before = await db[item].list()
    with pytest.raises(OutOfRangeError) as caught:
        await ask("ItemBulkUpdateNode", filter={}, update=change, confirmed=True)

    assert caught.value.fields == (fields or ("weight", "rate", "stock"))
    assert " or ".join(caught.value.fields) in str(caught.value)
    assert "nothing was changed" in str(caught.value)
    assert await db[item].list() == before


@pytest.mark.usefixtures("item")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"$inc": {"stock": 1}}, "its place behind a field"),
        ({"$set": {"stock": 1}}, "its place behind a field"),
        ({"name": {"$inc": 1}}, r"\.name takes str, or \$set of one, not '\$inc'"),
        ({"wait": {"$mul": 2}}, r"\$set or \$inc of one, not '\$mul'"),
        ({"stock": {"$dec": 1}}, r"or \$set or \$inc or \$mul of one, not '\$dec'"),
        ({"stock": {"$inc": 1, "$mul": 2}}, "takes one operator, not 2 of them"),
        ({"stock": {"$mul": 0.5}}, r"stock\.\$mul takes int, not float"),
        ({"stock": {"$inc": None}}, r"stock\.\$inc takes int, not None"),
        ({"stock": {"$inc": 2**63}}, "beyond 64 bits"),
        ({"price": {"$inc": Decimal("0.001")}}, "more digits"),
        ({"price": {"$mul": 0.5}}, "make it exact"),
        ({"weight": {"$set": None}}, "takes float, not None"),
        ({"stock": {}}, "not dict"),
        ({"stock": {"inc": 1}}, "not dict"),
        ({"updated_at": {"$inc": timedelta(1)}}, r"not '\$inc'"),
    ],
)
async def test_an_operator_that_its_field_does_not_have_is_refused(
    change: dict[str, object], said: str, ask: Ask
) -> None:
    with pytest.raises(FieldValueError, match=said):
        await ask("ItemBulkUpdateNode", filter={"id": 1}, update=change)


async def test_filter_and_change_may_arrive(db: DataFlow, user: type) -> None:
    async def decide() -> dict[str, object]:
        return {"which": {"name": "a"}, "change": {"age": 3}, "none": {}}

    flow = db.workflow()
    flow.add_node(decide, "decide")
    flow.add_node("UserBulkUpdateNode", "update")
    flow.add_connection("decide", "which", "update", "filter")
    flow.add_connection("decide", "change", "update", "update")
    flow.add_node("UserBulkDeleteNode", "delete", on_error="continue")
    flow.add_connection("decide", "none", "delete", "filter")
    results, _ = await db.run(flow.build())

    assert results["update"]["updated"] == 1
    assert isinstance(results["delete"]["error"], ConfirmationRequiredError)
    assert (await ages(db, user))["a"] == 3


async def test_rows_may_arrive(db: DataFlow, user: type) -> None:
    async def grow(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "age": 4} for row in rows]

    flow = db.workflow()
    flow.add_node("UserListNode", "list", {"limit": 2, "fields": ["id"]})
    flow.add_node(grow, "change")
    flow.add_node("UserBulkUpdateNode", "update")
    flow.add_connection("list", "records", "change", "rows")
    flow.add_connection("change", "result", "update", "data")
    await db.run(flow.build())

    assert await ages(db, user) == {"a": 4, "b": 4, "c": 0, "d": 0, "e": 0}


# -- deletes ---------------------------------------------------------------------------


async def test_all_rows_of_a_filter_are_deleted(
    db: DataFlow, user: type, ask: Ask
) -> None:
    result = await ask("UserBulkDeleteNode", filter={"id": {"$gte": 3}})

    assert result == {
        **REPORT,
        "processed": 3,
        "deleted": 3,
        "operation": "bulk_delete",
    }
    assert sorted(await ages(db, user)) == ["a", "b"]


async def test_rows_are_deleted_by_their_keys(
    db: DataFlow, user: type, ask: Ask
) -> None:
    result = await ask("UserBulkDeleteNode", ids=[1, 2, 2, 99])
    nothing = await ask("UserBulkDeleteNode", ids=[])

    assert result == {
        **REPORT,
        "processed": 4,
        "deleted": 2,
        "skipped": 2,
        "batch_size": 10_000,
        "operation": "bulk_delete",
    }
    assert (nothing["processed"], nothing["deleted"]) == (0, 0)
    assert await db[user].count() == 3


async def test_thousands_are_deleted_by_their_keys(db: DataFlow, user: type) -> None:
    data = [{"name": f"{number}"} for number in range(2_500)]
    ids = (await db[user].bulk_create(data, return_ids=True))["ids"]

    assert (await db[user].bulk_delete(ids=ids))["deleted"] == 2_500
    assert await db[user].count() == 5


@pytest.mark.parametrize("given", EVERYTHING)
async def test_deleting_every_row_must_be_meant(
    given: object, db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(ConfirmationRequiredError, match="would change every row"):
        await ask("UserBulkDeleteNode", filter=given)
    with pytest.raises(ConfirmationRequiredError):
        await db[user].bulk_delete()
    left = await db[user].count()
    result = await ask("UserBulkDeleteNode", filter=given, confirmed=True)

    assert left == 5
    assert (result["deleted"], await db[user].count()) == (5, 0)


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"ids": [1], "filter": {"id": 1}}, FieldValueError),
        ({"ids": 1}, FieldValueError),
        ({"ids": "12"}, FieldValueError),
        ({"ids": [1, "2"]}, FieldValueError),
        ({"ids": [None]}, FieldValueError),
        ({"filter": {"id": 1}, "confirmed": "yes"}, FieldValueError),
        ({"filter": {"nme": 1}}, FilterError),
        ({"data": [1]}, UnknownFieldError),
    ],
)
async def test_what_is_no_bulk_delete_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserBulkDeleteNode", **given)
