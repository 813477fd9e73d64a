from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow, field
from dataflow.errors import FieldValueError, MissingFieldError

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def item(db: DataFlow) -> type:
    @db.model
    class Item:
        code: str | None = field(default=None, unique=True)
        name: str = "unnamed"
        price: int = 1

    await db[Item].bulk_create(
        [{"code": "a", "name": "A", "price": 10}, {"code": "b", "name": "B"}]
    )
    return Item


async def rows(db: DataFlow, model: type) -> dict[object, tuple[object, object]]:
    records = (await db[model].list(limit=None))["records"]
    return {each["code"]: (each["name"], each["price"]) for each in records}


async def test_rows_are_inserted_or_changed_and_counted(
    db: DataFlow, item: type, ask: Ask
) -> None:
    result = await ask(
        "ItemBulkUpsertNode",
        data=[{"code": "a", "price": 11}, {"code": "c", "price": 3}],
        key_fields=["code"],
    )

    assert result == {
        "processed": 2,
        "inserted": 1,
        "updated": 1,
        "skipped": 0,
        "failed": 0,
        "batch_size": 10_000,
        "operation": "bulk_upsert",
        "success": True,
    }
    assert await rows(db, item) == {
        "a": ("A", 11),
        "b": ("B", 1),
        "c": ("unnamed", 3),
    }


@pytest.mark.parametrize("batch_size", [1, 2, 1_000])
async def test_of_rows_with_one_key_the_last_wins(
    batch_size: int, db: DataFlow, item: type, ask: Ask
) -> None:
    result = await ask(
        "ItemBulkUpsertNode",
        data=[
            {"code": "n", "price": 1},
            {"code": "a", "price": 2},
            {"code": "n", "price": 3},
            {"code": "a", "price": 4},
            {"code": "n", "name": "N"},
        ],
        key_fields="code",
        batch_size=batch_size,
        return_ids=True,
    )
    ids = result["ids"]

    assert (result["inserted"], result["updated"]) == (1, 4)
    assert ids[0] == ids[2] == ids[4] != ids[1] == ids[3] == 1
    assert await rows(db, item) == {"a": ("A", 4), "b": ("B", 1), "n": ("N", 3)}


async def test_rows_that_exist_may_be_left_alone(
    db: DataFlow, item: type, ask: Ask
) -> None:
    result = await ask(
        "ItemBulkUpsertNode",
        data=[{"code": "a", "price": 9}, {"code": "n"}, {"code": "n", "price": 9}],
        conflict_on=["code"],
        conflict_resolution="skip",
    )

    assert (result["inserted"], result["updated"], result["skipped"]) == (1, 0, 2)
    assert await rows(db, item) == {
        "a": ("A", 10),
        "b": ("B", 1),
        "n": ("unnamed", 1),
    }


async def test_a_key_alone_changes_nothing(db: DataFlow, item: type, ask: Ask) -> None:
    result = await ask(
        "ItemBulkUpsertNode", data=[{"code": "a"}, {"code": "n"}], key_fields=["code"]
    )

    assert (result["inserted"], result["updated"]) == (1, 1)
    assert (await rows(db, item))["a"] == ("A", 10)


async def test_rows_of_different_shapes_keep_their_order(
    db: DataFlow, item: type, ask: Ask
) -> None:
    result = await ask(
        "ItemBulkUpsertNode",
        data=[
            {"id": 1, "price": 3},
            {"code": "n", "price": 4},
            {"id": 1, "name": "one"},
            {"id": 2, "price": 5},
        ],
        return_ids=True,
    )

    assert (result["inserted"], result["updated"]) == (1, 3)
    assert result["ids"] == [1, 3, 1, 2]
    assert await rows(db, item) == {
        "a": ("one", 3),
        "b": ("B", 5),
        "n": ("unnamed", 4),
    }


async def test_one_bad_row_keeps_all_others_out(
    db: DataFlow, item: type, ask: Ask
) -> None:
    before = await rows(db, item)
    with pytest.raises(FieldValueError) as error:
        await ask(
            "ItemBulkUpsertNode",
            data=[{"code": "a", "price": 1}, {"code": "n", "price": None}],
            key_fields=["code"],
        )

    assert error.value.owner == "ItemBulkUpsertNode 'it' data[1]"
    assert await rows(db, item) == before


@pytest.mark.usefixtures("item")
@pytest.mark.parametrize("row", [{"price": 1}, {"code": None}])
async def test_a_row_must_say_what_tells_it(
    row: dict[str, object], db: DataFlow, item: type, ask: Ask
) -> None:
    given: dict[str, Any] = {"data": [{"code": "n"}, row], "key_fields": ["code"]}
    with pytest.raises(MissingFieldError) as error:
        await db[item].bulk_upsert(**given)
    going_on = await ask("ItemBulkUpsertNode", **given, error_strategy="continue")

    assert (error.value.owner, error.value.field) == (
        "ItemBulkUpsertNode data[1]",
        "code",
    )
    assert (going_on["inserted"], going_on["failed"]) == (1, 1)


async def test_thousands_are_upserted_with_their_ids(db: DataFlow, item: type) -> None:
    data = [{"code": f"{number}", "price": number} for number in range(2_500)]
    first = await db[item].bulk_upsert(data, key_fields=["code"], return_ids=True)
    second = await db[item].bulk_upsert(data, key_fields=["code"], return_ids=True)

    assert (first["inserted"], second["updated"]) == (2_500, 2_500)
    assert first["ids"] == second["ids"]
    assert len(set(first["ids"])) == 2_500
