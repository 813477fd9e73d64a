from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    AmbiguousFilterError,
    DuplicateKeyError,
    FieldValueError,
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
        email: str | None = field(default=None, unique=True)

    await db[User].bulk_create(
        [{"name": "a", "email": "a@x"}, {"name": "b"}, {"name": "b"}]
    )
    return User


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    "given",
    [
        {"record_id": 1, "age": 5},
        {"id": 1, "age": 5},
        {"id": 1, "fields": {"age": 5}},
        {"filter": {"id": 1}, "fields": {"age": 5}},
        {"filter": {"name": "a"}, "update": {"age": 5}},
        {"filter": {"name": "a"}, "age": 5},
        {"conditions": {"id": 1}, "updates": {"age": 5}},
    ],
)
async def test_the_result_is_the_whole_row(given: dict[str, object], ask: Ask) -> None:
    row = {"id": 1, "name": "a", "age": 5, "email": "a@x", "updated": True}

    assert await ask("UserUpdateNode", **given) == row


@pytest.mark.usefixtures("user")
async def test_a_row_that_is_not_there_is_told(ask: Ask) -> None:
    by_key = await ask("UserUpdateNode", id=9, age=5)
    by_filter = await ask("UserUpdateNode", filter={"name": "z"}, age=5)

    assert by_key == {"id": 9, "updated": False}
    assert by_filter == {"id": None, "updated": False}
    with pytest.raises(RecordNotFoundError):
        await ask("UserUpdateNode", id=9, age=5, raise_on_not_found=True)


async def test_a_filter_that_matches_several_changes_none(
    db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(AmbiguousFilterError) as error:
        await ask("UserUpdateNode", filter={"name": "b"}, age=5)

    assert (error.value.node, error.value.bulk) == (
        "UserUpdateNode",
        "UserBulkUpdateNode",
    )
    assert await db[user].count({"age": 5}) == 0
    assert (await ask("UserUpdateNode", id=2, age=5))["updated"]


@pytest.mark.usefixtures("user")
async def test_no_change_is_no_update(ask: Ask) -> None:
    row = {"id": 1, "name": "a", "age": 0, "email": "a@x", "updated": False}

    assert await ask("UserUpdateNode", id=1, fields={}) == row
    with pytest.raises(AmbiguousFilterError):
        await ask("UserUpdateNode", filter={"name": "b"}, fields={})


@pytest.mark.usefixtures("user")
async def test_none_is_a_value_like_any_other(ask: Ask) -> None:
    assert (await ask("UserUpdateNode", id=1, email=None))["email"] is None
    with pytest.raises(FieldValueError):
        await ask("UserUpdateNode", id=1, name=None)


async def test_a_change_that_breaks_a_rule_changes_nothing(
    db: DataFlow, user: type, ask: Ask
) -> None:
    with pytest.raises(DuplicateKeyError) as error:
        await ask("UserUpdateNode", id=2, email="a@x", age=5)

    assert error.value.fields == ("email",)
    assert (await db[user].read(2))["age"] == 0


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"id": 1}, MissingFieldError),
        ({"age": 5}, MissingFieldError),
        ({"filter": {}, "age": 5}, MissingFieldError),
        ({"id": 1, "agee": 5}, UnknownFieldError),
        ({"id": 1, "fields": {"agee": 5}}, UnknownFieldError),
        ({"id": 1, "fields": [("age", 5)]}, FieldValueError),
        ({"id": 1, "fields": {1: 5}}, FieldValueError),
        ({"id": 1, "age": "5"}, FieldValueError),
        ({"id": 1, "age": 4, "fields": {"age": 5}}, FieldValueError),
        ({"id": 1, "update": {"age": 4}, "fields": {"age": 5}}, FieldValueError),
        ({"record_id": 1, "id": 2, "age": 5}, FieldValueError),
    ],
)
async def test_what_is_no_change_of_a_row_is_refused(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask("UserUpdateNode", **given)


async def test_constants_are_checked_although_others_arrive(
    db: DataFlow, user: type
) -> None:
    flow = db.workflow()
    flow.add_node("UserListNode", "list")
    flow.add_node("UserUpdateNode", "it", {"record_id": "1"})
    flow.add_connection("list", "count", "it", "age")
    with pytest.raises(FieldValueError):
        flow.build()


async def test_connections_may_carry_key_and_values(
    db: DataFlow, user: type, ask: Ask
) -> None:
    flow = db.workflow()
    flow.add_node("UserCreateNode", "create", {"name": "new", "age": 7})
    flow.add_node("UserUpdateNode", "other", {"id": 1})
    flow.add_node("UserUpdateNode", "same", {"name": "renamed"})
    flow.add_node("UserUpdateNode", "third", {"record_id": 2})
    flow.add_connection("create", "age", "other", "age")
    flow.add_connection("create", "age", "third", "age")
    flow.add_connection("create", "id", "same", "record_id")
    results, _ = await db.run(flow.build())

    assert results["other"]["age"] == results["third"]["age"] == 7
    assert (await db[user].read(4))["name"] == "renamed"
