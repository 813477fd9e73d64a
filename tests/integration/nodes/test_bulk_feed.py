"""Rows that are packed while the database reads them: changes, as creates before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, field
from dataflow.errors import DataFlowError, DuplicateKeyError, FieldValueError

pytestmark = pytest.mark.slow

MANY = 3_000
"""More than are packed at a time."""
OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def item(db: DataFlow) -> type:
    @db.model
    class Item:
        __dataflow__: ClassVar = {"timestamps": True}

        code: str = field(unique=True)
        price: int = 1
        note: str | None = None
        size: int | None = field(default=None, unique=True)

    await db[Item].bulk_create(rows(MANY, note="old"))
    return Item


def rows(count: int, start: int = 0, **more: object) -> list[dict[str, Any]]:
    return [
        {"code": f"{n:05}", "price": n, **more} for n in range(start, start + count)
    ]


async def stored(db: DataFlow, model: type) -> list[dict[str, Any]]:
    page = await db[model].list(limit=None, order_by="code")
    return list(page["records"])


async def test_an_upsert_counts_and_tells_the_keys_in_the_order_of_the_data(
    db: DataFlow, item: type
) -> None:
    data = rows(MANY, start=MANY // 2)[::-1]
    report = await db[item].bulk_upsert(data, key_fields=["code"], return_ids=True)
    ids = {each["code"]: each["id"] for each in await stored(db, item)}

    half = MANY // 2
    assert (report["inserted"], report["updated"]) == (half, half)
    assert report["ids"] == [ids[row["code"]] for row in data]


async def test_rows_of_several_shapes_change_what_each_of_them_says(
    db: DataFlow, item: type
) -> None:
    data = [
        row if n // 700 % 2 else {**row, "note": "new"}
        for n, row in enumerate(rows(MANY))
    ]
    report = await db[item].bulk_upsert(data, key_fields=["code"])
    notes = [each["note"] for each in await stored(db, item)]

    assert (report["inserted"], report["updated"]) == (0, MANY)
    assert notes == [row.get("note", "old") for row in data]


async def test_rows_that_are_there_are_skipped_if_that_is_asked(
    db: DataFlow, item: type
) -> None:
    report = await db[item].bulk_create(
        rows(MANY, start=MANY // 2, note="new"),
        conflict_resolution="skip",
        key_fields=["code"],
    )
    notes = [each["note"] for each in await stored(db, item)]

    assert (report["inserted"], report["skipped"]) == (MANY // 2, MANY // 2)
    assert (notes.count("old"), notes.count("new")) == (MANY, MANY // 2)


async def test_a_key_that_comes_twice_is_inserted_first_and_changed_then(
    db: DataFlow, item: type
) -> None:
    data = [*rows(MANY, start=MANY), {"code": f"{MANY:05}", "price": -1}]
    report = await db[item].bulk_upsert(data, key_fields=["code"])
    prices = [each["price"] for each in await stored(db, item)]

    assert (report["inserted"], report["updated"]) == (MANY, 1)
    assert prices[MANY] == -1


async def test_an_update_changes_the_rows_that_are_there(
    db: DataFlow, item: type
) -> None:
    keys = [each["id"] for each in await stored(db, item)]
    data = [{"id": key, "note": str(key)} for key in (*keys, 10**9)]
    report = await db[item].bulk_update(data=data)
    after = await stored(db, item)

    assert (report["updated"], report["processed"]) == (MANY, MANY + 1)
    assert [each["note"] for each in after] == [str(key) for key in keys]
    assert all(each["updated_at"] > OLD for each in after)


async def test_a_row_that_cannot_be_packed_keeps_all_the_others_out(
    db: DataFlow, item: type
) -> None:
    data = rows(MANY, start=MANY // 2, note="new")
    data[-5]["price"] = "dear"

    with pytest.raises(FieldValueError, match="price"):
        await db[item].bulk_upsert(data, key_fields=["code"])
    assert {each["note"] for each in await stored(db, item)} == {"old"}


@pytest.mark.parametrize("place", [5, MANY - 5])
async def test_rows_that_cannot_be_stored_are_left_out_if_that_is_asked(
    place: int, db: DataFlow, item: type
) -> None:
    await db[item].create(code="big", size=7)
    data = rows(MANY, start=MANY // 2, note="new")
    data[place]["size"] = 7
    data[place + 1]["price"] = "dear"
    report = await db[item].bulk_upsert(
        data, key_fields=["code"], error_strategy="continue"
    )
    notes = [each["note"] for each in await stored(db, item)]

    assert sorted(each["index"] for each in report["errors"]) == [place, place + 1]
    assert notes.count("new") == MANY - 2


async def test_rows_the_database_refuses_keep_their_batch_out(
    db: DataFlow, item: type
) -> None:
    await db[item].create(code="big", size=7)
    data = rows(MANY, start=MANY // 2, note="new")
    data[-1]["size"] = 7

    with pytest.raises(DuplicateKeyError):
        await db[item].bulk_upsert(data, key_fields=["code"])
    assert "new" not in {each["note"] for each in await stored(db, item)}


async def test_a_row_that_is_no_mapping_is_told_by_its_place(
    db: DataFlow, item: type
) -> None:
    data: list[Any] = rows(MANY)
    data[17] = None

    with pytest.raises(DataFlowError, match="17"):
        await db[item].bulk_upsert(data, key_fields=["code"])
