"""Models whose key is not a generated ``id``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    DuplicateKeyError,
    FieldValueError,
    MissingFieldError,
    RecordNotFoundError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def stock(db: DataFlow) -> type:
    @db.model
    class Stock:
        shop: str = field(primary_key=True)
        item: int = field(primary_key=True)
        amount: int = 0

    return Stock


@pytest.fixture
def country(db: DataFlow) -> type:
    @db.model
    class Country:
        code: str = field(primary_key=True)
        name: str

    return Country


@pytest.mark.usefixtures("stock")
@pytest.mark.parametrize(
    "key",
    [
        {"record_id": {"shop": "a", "item": 1}},
        {"record_id": ["a", 1]},
        {"id": ("a", 1)},
        {"shop": "a", "item": 1},
        {"filter": {"shop": "a", "item": 1}},
        {"conditions": {"item": 1, "shop": "a"}},
    ],
)
async def test_a_composite_key_is_given_in_many_ways(
    key: dict[str, object], ask: Ask
) -> None:
    row = {"shop": "a", "item": 1, "amount": 3}
    await ask("StockCreateNode", **row)
    await ask("StockCreateNode", shop="a", item=2)
    read = await ask("StockReadNode", **key)
    updated = await ask("StockUpdateNode", **key, amount=4)
    deleted = await ask("StockDeleteNode", **key)
    again = await ask("StockDeleteNode", **key)

    assert read == {**row, "found": True}
    assert updated == {"shop": "a", "item": 1, "amount": 4, "updated": True}
    assert deleted == {"shop": "a", "item": 1, "deleted": True}
    assert again == {"shop": "a", "item": 1, "deleted": False}


@pytest.mark.usefixtures("stock")
async def test_half_a_key_is_no_key(ask: Ask) -> None:
    with pytest.raises(MissingFieldError) as flat:
        await ask("StockReadNode", shop="a")
    with pytest.raises(FieldValueError) as mapped:
        await ask("StockReadNode", id={"shop": "a"})
    with pytest.raises(FieldValueError) as listed:
        await ask("StockReadNode", record_id=["a"])
    with pytest.raises(FieldValueError) as single:
        await ask("StockReadNode", record_id="a")

    assert flat.value.field == "item"
    assert mapped.value.expected == "a key of shop, item"
    assert listed.value.came == "list"
    assert single.value.came == "str"


async def test_composite_keys_of_bulk_nodes_are_mappings(
    db: DataFlow, stock: type, ask: Ask
) -> None:
    data = [{"shop": "a", "item": number, "amount": number} for number in range(4)]
    created = await ask("StockBulkCreateNode", data=data, return_ids=True)
    updated = await ask(
        "StockBulkUpdateNode",
        data=[
            {"shop": "a", "item": 0, "amount": 9},
            {"shop": "b", "item": 0, "amount": 1},
        ],
    )
    upserted = await ask(
        "StockBulkUpsertNode",
        data=[{"shop": "a", "item": 1, "amount": 8}, {"shop": "b", "item": 1}],
        key_fields=["item", "shop"],
        return_ids=True,
    )
    deleted = await ask(
        "StockBulkDeleteNode", ids=[("a", 0), {"shop": "a", "item": 1}, ("c", 1)]
    )
    left = await db[stock].list(fields=["shop", "item"])

    assert created["ids"] == [{"shop": "a", "item": number} for number in range(4)]
    assert (updated["updated"], updated["skipped"]) == (1, 1)
    assert (upserted["inserted"], upserted["updated"]) == (1, 1)
    assert upserted["ids"] == [{"shop": "a", "item": 1}, {"shop": "b", "item": 1}]
    assert (deleted["processed"], deleted["deleted"], deleted["skipped"]) == (3, 2, 1)
    assert left["records"] == [
        {"shop": "a", "item": 2},
        {"shop": "a", "item": 3},
        {"shop": "b", "item": 1},
    ]


async def test_thousands_of_composite_keys_are_deleted_at_once(
    db: DataFlow, stock: type
) -> None:
    keys = [("a", number) for number in range(2_500)]
    await db[stock].bulk_create([{"shop": s, "item": i} for s, i in keys])
    deleted = await db[stock].bulk_delete(ids=keys)

    assert deleted["deleted"] == 2_500
    assert await db[stock].count() == 0


async def test_a_key_of_another_name_is_meant_by_id_too(
    db: DataFlow, country: type, ask: Ask
) -> None:
    await ask("CountryCreateNode", code="NO", name="Norway")

    assert (await ask("CountryReadNode", id="NO"))["name"] == "Norway"
    assert (await ask("CountryReadNode", record_id="NO"))["name"] == "Norway"
    assert (await ask("CountryReadNode", code="NO"))["name"] == "Norway"
    assert await ask("CountryDeleteNode", id="NO") == {"code": "NO", "deleted": True}
    with pytest.raises(RecordNotFoundError) as gone:
        await db[country].read("NO")
    assert gone.value.key == ("code",)


@pytest.mark.usefixtures("country")
async def test_a_key_that_is_not_generated_must_be_given(ask: Ask) -> None:
    with pytest.raises(MissingFieldError) as error:
        await ask("CountryCreateNode", name="Norway")

    assert error.value.field == "code"


@pytest.mark.usefixtures("country")
async def test_two_ways_to_name_a_row_are_refused(ask: Ask) -> None:
    for given in (
        {"code": "NO", "record_id": "SE"},
        {"id": "NO", "filter": {"code": "SE"}},
        {"filter": {"code": "NO"}, "conditions": {"code": "SE"}},
    ):
        for node in ("CountryReadNode", "CountryUpdateNode", "CountryDeleteNode"):
            with pytest.raises(FieldValueError, match="only one of"):
                await ask(node, **given)


async def test_the_key_itself_changes_by_fields(
    db: DataFlow, country: type, ask: Ask
) -> None:
    await db[country].bulk_create(
        [{"code": "NO", "name": "Norway"}, {"code": "SE", "name": "Sweden"}]
    )
    changed = await ask("CountryUpdateNode", id="NO", fields={"code": "NOR"})
    with pytest.raises(DuplicateKeyError) as error:
        await ask("CountryUpdateNode", id="SE", fields={"code": "NOR"})

    assert changed == {"code": "NOR", "name": "Norway", "updated": True}
    assert error.value.fields == ("code",)


async def test_names_that_are_fields_mean_the_fields(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Query:
        __dataflow__: ClassVar = {"primary_key": ["record_id"]}

        record_id: UUID = field(default_factory=uuid4, primary_key=True)
        id: int = 0
        filter: str = ""
        fields: int = 0

    created = await ask("QueryCreateNode", id=5, filter="x", fields=1)
    key = created["record_id"]
    updated = await ask("QueryUpdateNode", record_id=key, filter="y", fields=2)

    assert updated == {**created, "filter": "y", "fields": 2, "updated": True}
    assert (await ask("QueryReadNode", conditions={"id": 5}))["filter"] == "y"
    with pytest.raises(UnknownFieldError):
        await ask("QueryReadNode", filter={"id": 5})
    with pytest.raises(UnknownFieldError):
        await ask("QueryDeleteNode", id=5)


async def test_a_key_that_cannot_be_moved_is_an_error(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Fixed:
        name: str

    text = "CREATE TABLE fixeds (id INTEGER DEFAULT 1 UNIQUE, name TEXT)"
    await ask("AsyncSQLDatabaseNode", query=text, validate_queries=False)
    await ask("AsyncSQLDatabaseNode", query="INSERT INTO fixeds VALUES (1, 'a')")
    with pytest.raises(DuplicateKeyError) as error:
        await ask("FixedCreateNode", name="b")

    assert error.value.fields == ("id",)


async def test_keys_are_made_by_a_factory(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Job:
        id: UUID = field(default_factory=uuid4, primary_key=True)
        name: str

    made = await ask(
        "JobBulkCreateNode", data=[{"name": "a"}, {"name": "b"}], return_ids=True
    )
    rows = await db[Job].list(filter={"id": {"$in": made["ids"]}}, order_by="name")

    assert [row["id"] for row in rows["records"]] == made["ids"]
