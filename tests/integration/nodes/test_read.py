from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import (
    FieldValueError,
    FilterError,
    MissingFieldError,
    RecordNotFoundError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def user(db: DataFlow) -> type:
    @db.model
    class User:
        name: str
        age: int = 0

    await db[User].bulk_create([{"name": name} for name in ("c", "b", "a", "a")])
    return User


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    "given",
    [
        {"record_id": 2},
        {"id": 2},
        {"filter": {"id": 2}},
        {"filter": {"id": {"$in": [2]}}},
        {"filter": {"name": "b"}},
        {"conditions": {"id": 2}},
    ],
)
async def test_a_row_is_read_whole(given: dict[str, object], ask: Ask) -> None:
    row = {"id": 2, "name": "b", "age": 0, "found": True}

    assert await ask("UserReadNode", **given) == row


@pytest.mark.usefixtures("user")
async def test_a_filter_gives_the_row_with_the_least_key(ask: Ask) -> None:
    assert (await ask("UserReadNode", filter={"name": "a"}))["id"] == 3


@pytest.mark.usefixtures("user")
async def test_a_row_that_is_not_there_is_an_error(ask: Ask) -> None:
    with pytest.raises(RecordNotFoundError) as by_key:
        await ask("UserReadNode", record_id=9)
    with pytest.raises(RecordNotFoundError) as by_filter:
        await ask("UserReadNode", filter={"name": "z", "age": 1})

    assert (by_key.value.model, by_key.value.key) == ("User", ("id",))
    assert by_filter.value.key == ("name", "age")
    assert str(by_key.value) == (
        "no User matches the given id: check the key, or pass raise_on_not_found=False"
    )


@pytest.mark.usefixtures("user")
async def test_a_row_that_is_not_there_may_be_none(ask: Ask) -> None:
    by_key = await ask("UserReadNode", id=9, raise_on_not_found=False)
    by_filter = await ask(
        "UserReadNode", filter={"name": "z"}, raise_on_not_found=False
    )

    assert by_key == {"id": 9, "found": False}
    assert by_filter == {"id": None, "found": False}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"filter": {}}, MissingFieldError),
        ({"filter": {"$and": []}}, MissingFieldError),
        ({"filter": None}, MissingFieldError),
        ({"filter": [1]}, FilterError),
        ({"filter": {"nme": "a"}}, FilterError),
        ({"id": "2"}, FieldValueError),
        ({"id": None}, FieldValueError),
        ({"record_id": True}, FieldValueError),
        ({"record_id": 2**63}, FieldValueError),
        ({"record_id": {"id": "2"}}, FieldValueError),
        ({"record_id": {"name": "a"}}, FieldValueError),
        ({"record_id": 1, "id": 1}, FieldValueError),
        ({"id": 1, "raise_on_not_found": "no"}, FieldValueError),
        ({"id": 1, "name": "a"}, UnknownFieldError),
    ],
)
async def test_what_names_no_row_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserReadNode", **given)


async def test_direct_reads_are_checked_too(db: DataFlow, user: type) -> None:
    with pytest.raises(MissingFieldError):
        await db[user].read()
    with pytest.raises(FieldValueError):
        await db[user].read(1, id=1)
    with pytest.raises(UnknownFieldError):
        await db[user].read(1, fields=["name"])

    assert (await db[user].read(filter={"name": "c"}))["id"] == 1
    assert (await db[user].read({"id": 1}))["name"] == "c"


async def test_a_connection_may_name_the_row(db: DataFlow, user: type) -> None:
    flow = db.workflow()
    flow.add_node("UserListNode", "first", {"order_by": "name", "limit": 1})
    flow.add_node("UserReadNode", "read")
    flow.add_connection("first", "records.0.id", "read", "record_id")
    results, _ = await db.run(flow.build())

    assert results["read"] == await db[user].read(3)
