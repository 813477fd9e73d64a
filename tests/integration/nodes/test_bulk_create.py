from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    ConstraintError,
    DuplicateKeyError,
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]

OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def item(db: DataFlow) -> type:
    @db.model
    class Item:
        __dataflow__: ClassVar = {"timestamps": True}

        code: str = field(unique=True)
        name: str = "unnamed"
        price: int = 1
        note: str | None = None

    return Item


async def rows(db: DataFlow, model: type, *names: str) -> list[tuple[Any, ...]]:
    page = await db[model].list(limit=None, fields=list(names))
    return [tuple(record.values()) for record in page["records"]]


@pytest.mark.usefixtures("item")
async def test_the_result_is_the_counts(ask: Ask) -> None:
    result = await ask("ItemBulkCreateNode", data=[{"code": "a"}, {"code": "b"}])

    assert result == {
        "processed": 2,
        "inserted": 2,
        "updated": 0,
        "skipped": 0,
        "failed": 0,
        "batch_size": 10_000,
        "operation": "bulk_create",
        "success": True,
    }


async def test_defaults_and_times_are_filled_in(
    db: DataFlow, item: type, ask: Ask
) -> None:
    data = [
        {"code": "a"},
        {"code": "b", "price": 2},
        {"code": "c", "note": "x", "created_at": OLD},
        {"code": "d"},
    ]
    await ask("ItemBulkCreateNode", data=data)
    records = (await db[item].list())["records"]

    assert [(r["code"], r["name"], r["price"], r["note"]) for r in records] == [
        ("a", "unnamed", 1, None),
        ("b", "unnamed", 2, None),
        ("c", "unnamed", 1, "x"),
        ("d", "unnamed", 1, None),
    ]
    assert records[0]["created_at"] == records[0]["updated_at"] > OLD
    assert records[2]["created_at"] == OLD


@pytest.mark.parametrize("batch_size", [1, 3, 1_000])
async def test_ids_come_in_the_order_of_the_data(
    batch_size: int, db: DataFlow, item: type, ask: Ask
) -> None:
    data = [{"code": f"{number:02}"} for number in range(20, 0, -1)]
    data[7]["note"] = "another shape"
    result = await ask(
        "ItemBulkCreateNode", data=data, return_ids=True, batch_size=batch_size
    )
    codes = dict(await rows(db, item, "id", "code"))

    assert [codes[each] for each in result["ids"]] == [row["code"] for row in data]
    assert (result["inserted"], result["batch_size"]) == (20, batch_size)


@pytest.mark.usefixtures("item")
async def test_no_rows_are_no_work(ask: Ask) -> None:
    result = await ask("ItemBulkCreateNode", data=[], return_ids=True)

    assert (result["processed"], result["ids"], result["success"]) == (0, [], True)


@pytest.mark.parametrize("batch_size", [1, 2, 1_000])
async def test_one_bad_row_keeps_all_others_out(
    batch_size: int, db: DataFlow, item: type, ask: Ask
) -> None:
    await ask("ItemCreateNode", code="taken")
    data = [{"code": code} for code in ("a", "b", "c", "taken", "d")]
    with pytest.raises(DuplicateKeyError) as error:
        await ask("ItemBulkCreateNode", data=data, batch_size=batch_size, atomic=True)

    assert (error.value.table, error.value.fields) == ("items", ("code",))
    assert await db[item].count() == 1
    assert (await ask("ItemBulkCreateNode", data=data[:3]))["inserted"] == 3


async def test_going_on_stores_every_row_that_can_be(
    db: DataFlow, item: type, ask: Ask
) -> None:
    await ask("ItemCreateNode", code="taken")
    data: list[object] = [{"code": f"{number}"} for number in range(10)]
    data[2] = {"code": "taken"}
    data[4] = {"name": "no code"}
    data[6] = {"code": "0"}
    data[7] = {"code": 7}
    data[8] = "no row"
    data[9] = {"code": "9", "colour": "red"}
    result = await ask(
        "ItemBulkCreateNode",
        data=data,
        error_strategy="continue",
        batch_size=4,
        return_ids=True,
    )
    stored = dict(await rows(db, item, "id", "code"))

    assert (result["processed"], result["inserted"]) == (10, 4)
    assert (result["failed"], result["success"]) == (6, False)
    assert [stored[each] for each in result["ids"]] == ["0", "1", "3", "5"]
    assert sorted(stored.values()) == ["0", "1", "3", "5", "taken"]
    assert [(each["index"], type(each["error"])) for each in result["errors"]] == [
        (2, DuplicateKeyError),
        (4, MissingFieldError),
        (6, DuplicateKeyError),
        (7, FieldValueError),
        (8, FieldValueError),
        (9, UnknownFieldError),
    ]
    assert result["errors"][1]["reason"] == (
        "ItemBulkCreateNode data[4] needs 'code' (str): give it as a parameter or "
        "connect it"
    )


async def test_a_workflow_goes_on_although_rows_are_left_out(
    db: DataFlow, item: type
) -> None:
    flow = db.workflow()
    data = [{"code": "a"}, {"code": "a"}]
    flow.add_node(
        "ItemBulkCreateNode", "bulk", {"data": data, "error_strategy": "continue"}
    )
    flow.add_node("ItemCreateNode", "next", {"code": "b"})
    flow.add_connection("bulk", "failed", "next", "price")
    results, _ = await db.run(flow.build())

    assert results["next"]["price"] == 1
    assert await db[item].count() == 2


async def test_rows_that_exist_are_skipped(db: DataFlow, item: type, ask: Ask) -> None:
    await ask("ItemCreateNode", code="a", price=5)
    result = await ask(
        "ItemBulkCreateNode",
        data=[{"code": "a"}, {"code": "b"}, {"code": "b", "price": 7}],
        conflict_resolution="skip",
        key_fields=["code"],
        return_ids=True,
    )

    assert (result["inserted"], result["skipped"]) == (1, 2)
    assert len(result["ids"]) == 1
    assert await rows(db, item, "code", "price") == [("a", 5), ("b", 1)]


async def test_rows_that_exist_are_changed(db: DataFlow, item: type, ask: Ask) -> None:
    first = await ask("ItemCreateNode", code="a", name="A", price=5, created_at=OLD)
    result = await ask(
        "ItemBulkCreateNode",
        data=[{"code": "b", "price": 2}, {"code": "a", "price": 6}],
        conflict_resolution="upsert",
        key_fields=["code"],
        return_ids=True,
    )
    changed = await db[item].read(first["id"])

    assert (result["inserted"], result["updated"]) == (1, 1)
    assert result["ids"][1] == first["id"]
    assert (changed["name"], changed["price"]) == ("A", 6)
    assert changed["created_at"] == OLD
    assert changed["updated_at"] > first["updated_at"]


async def test_without_key_fields_the_key_tells(
    db: DataFlow, item: type, ask: Ask
) -> None:
    data = [{"id": 1, "code": "a"}, {"id": 2, "code": "b"}]
    await ask("ItemBulkCreateNode", data=data)
    result = await ask(
        "ItemBulkCreateNode",
        data=[{"id": 2, "code": "c"}, {"code": "d"}],
        conflict_resolution="upsert",
        return_ids=True,
    )

    assert (result["inserted"], result["updated"], result["ids"]) == (1, 1, [2, 3])
    assert await rows(db, item, "id", "code") == [(1, "a"), (2, "c"), (3, "d")]


async def test_a_scalar_goes_to_every_row(db: DataFlow, item: type) -> None:
    flow = db.workflow()
    flow.add_node("ItemCreateNode", "first", {"code": "a", "price": 9})
    flow.add_node(
        "ItemBulkCreateNode",
        "bulk",
        {"data": [{"code": "b"}, {"code": "c", "note": "x"}], "name": "constant"},
    )
    flow.add_connection("first", "price", "bulk", "price")
    await db.run(flow.build())

    assert await rows(db, item, "code", "name", "price") == [
        ("a", "unnamed", 9),
        ("b", "constant", 9),
        ("c", "constant", 9),
    ]


async def test_rows_may_arrive_by_a_connection(db: DataFlow, item: type) -> None:
    async def make() -> dict[str, object]:
        return {"rows": [{"code": "a"}, {"code": "b"}]}

    flow = db.workflow()
    flow.add_node(make, "make")
    flow.add_node("ItemBulkCreateNode", "bulk", {"return_ids": True})
    flow.add_node("ItemReadNode", "last")
    flow.add_connection("make", "rows", "bulk", "data")
    flow.add_connection("bulk", "ids.1", "last", "id")
    results, _ = await db.run(flow.build())

    assert results["last"]["code"] == "b"


async def test_generated_keys_go_on_behind_explicit_ones(
    db: DataFlow, item: type, ask: Ask
) -> None:
    given = [{"id": number, "code": f"{number}"} for number in (1, 2, 3)]
    await ask("ItemBulkCreateNode", data=given)
    made = [{"code": "a"}, {"code": "b"}]
    result = await ask("ItemBulkCreateNode", data=made, return_ids=True)

    assert result["ids"] == [4, 5]


async def test_a_constraint_of_the_database_counts_as_well(
    db: DataFlow, item: type, ask: Ask
) -> None:
    await db.initialize()
    sql = "CREATE UNIQUE INDEX one_name ON items (name)"
    await ask("AsyncSQLDatabaseNode", query=sql, validate_queries=False)
    data = [{"code": "a", "name": "x"}, {"code": "b", "name": "x"}]
    with pytest.raises(DuplicateKeyError) as error:
        await ask("ItemBulkCreateNode", data=data)
    result = await ask("ItemBulkCreateNode", data=data, error_strategy="continue")

    assert error.value.fields == ("name",)
    assert isinstance(result["errors"][0]["error"], ConstraintError)
    assert await rows(db, item, "code") == [("a",)]


async def test_many_bulk_creates_at_once_store_every_row(
    db: DataFlow, item: type
) -> None:
    async def create(part: int) -> None:
        await db[item].bulk_create(
            [{"code": f"{part}-{number}"} for number in range(100)], batch_size=30
        )

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for part in range(10):
                tasks.start_soon(create, part)

    assert await db[item].count() == 1_000


@pytest.mark.usefixtures("item")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"data": None}, MissingFieldError),
        ({"data": {"code": "a"}}, FieldValueError),
        ({"data": "ab"}, FieldValueError),
        ({"data": deque([{"code": 1}])}, FieldValueError),
        ({"data": 7}, FieldValueError),
        ({"data": [{"code": "a"}], "atomic": "yes"}, FieldValueError),
        ({"data": [{"code": "a"}], "max_errors": -1}, FieldValueError),
        ({"data": [{"code": "a"}, 3]}, FieldValueError),
        ({"data": [{"code": "a", 3: 4}]}, FieldValueError),
        ({"data": [{"code": "a", "price": 1}], "price": 2}, FieldValueError),
        ({"data": [{"code": "a"}], "colour": "red"}, UnknownFieldError),
        ({"data": [{"code": "a"}], "price": "2"}, FieldValueError),
        ({"data": [{"code": "a"}], "batch_size": 0}, FieldValueError),
        ({"data": [{"code": "a"}], "conflict_resolution": "update"}, FieldValueError),
        ({"data": [{"code": "a"}], "conflict_resolution": None}, FieldValueError),
        ({"data": [{"code": "a"}], "error_strategy": "ignore"}, FieldValueError),
        ({"data": [{"code": "a"}], "return_ids": 1}, FieldValueError),
        ({"data": [{"code": "a"}], "key_fields": ["name"]}, FieldValueError),
        ({"data": [{"code": "a"}], "key_fields": []}, FieldValueError),
        ({"data": [{"code": "a"}], "key_fields": ["cod"]}, UnknownFieldError),
    ],
)
async def test_what_is_no_bulk_create_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("ItemBulkCreateNode", **given)


async def test_an_error_names_the_row(db: DataFlow, item: type) -> None:
    with pytest.raises(FieldValueError) as error:
        await db[item].bulk_create([{"code": "a"}, {"code": "b", "price": "2"}])

    assert str(error.value) == ("ItemBulkCreateNode data[1].price takes int, not str")
    assert await db[item].count() == 0
