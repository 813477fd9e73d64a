"""Bulk updates and deletes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    ConfirmationRequiredError,
    DuplicateKeyError,
    FieldValueError,
    FilterError,
    MissingFieldError,
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
