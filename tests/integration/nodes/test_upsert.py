from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    DuplicateKeyError,
    FieldValueError,
    MissingFieldError,
    UnknownFieldError,
)

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def user(db: DataFlow) -> type:
    @db.model
    class User:
        __dataflow__: ClassVar = {"timestamps": True}
        __indexes__: ClassVar = [{"fields": ["first", "last"], "unique": True}]

        email: str = field(unique=True)
        first: str = ""
        last: str = field(default="x")
        visits: int = 1

    return User


async def test_the_first_creates_and_the_next_changes(
    db: DataFlow, user: type, ask: Ask
) -> None:
    given = {
        "where": {"email": "a@x"},
        "create": {"first": "A"},
        "update": {"visits": 2},
    }
    first = await ask("UserUpsertNode", **given)
    second = await ask("UserUpsertNode", **given, conflict_on=["email"])

    assert (first["created"], first["action"]) == (True, "created")
    assert (second["created"], second["action"]) == (False, "updated")
    assert (first["record"]["first"], first["record"]["visits"]) == ("A", 2)
    assert second["record"] == {
        **first["record"],
        "updated_at": second["record"]["updated_at"],
    }
    assert second["record"]["updated_at"] > first["record"]["updated_at"]
    assert await db[user].read(1) == {**second["record"], "found": True}


@pytest.mark.usefixtures("user")
async def test_without_a_change_the_row_comes_as_it_is(ask: Ask) -> None:
    first = await ask("UserUpsertNode", where={"email": "a@x"})
    second = await ask("UserUpsertNode", where={"email": "a@x"})

    assert second == {"record": first["record"], "created": False, "action": "updated"}


@pytest.mark.usefixtures("user")
async def test_several_fields_may_be_the_key(ask: Ask) -> None:
    await ask("UserUpsertNode", where={"email": "a@x"}, create={"first": "A"})
    found = await ask(
        "UserUpsertNode",
        where={"last": "x", "first": "A"},
        create={"email": "b@x"},
        update={"visits": 9},
    )

    assert (found["created"], found["record"]["email"]) == (False, "a@x")
    assert found["record"]["visits"] == 9


async def test_of_many_at_once_exactly_one_creates(db: DataFlow, user: type) -> None:
    created: list[bool] = []

    async def upsert(number: int) -> None:
        result = await db[user].upsert(
            where={"email": "a@x"}, update={"visits": number}
        )
        created.append(result["created"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(upsert, number)

    assert sorted(created) == [False] * 19 + [True]
    assert await db[user].count() == 1


async def test_of_two_data_flows_one_creates(
    db: DataFlow, user: type, database_url: str
) -> None:
    created: list[bool] = []

    async def upsert(which: DataFlow) -> None:
        result = await which[user].upsert(where={"email": "a@x"})
        created.append(result["created"])

    async with DataFlow(database_url, pool_size=2) as other:
        other.model(user)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for which in (db, other) * 10:
                    tasks.start_soon(upsert, which)

    assert sorted(created) == [False] * 19 + [True]


@pytest.mark.usefixtures("user")
async def test_generated_keys_go_on_behind_explicit_ones(ask: Ask) -> None:
    for number in (1, 2):
        await ask(
            "UserUpsertNode",
            where={"id": number},
            create={"email": f"{number}", "first": f"{number}"},
        )
    made = await ask("UserUpsertNode", where={"email": "new"})

    assert made["record"]["id"] == 3


async def test_another_rule_that_breaks_is_an_error(
    db: DataFlow, user: type, ask: Ask
) -> None:
    await ask("UserUpsertNode", where={"email": "a@x"}, create={"first": "A"})
    with pytest.raises(DuplicateKeyError) as error:
        await ask("UserUpsertNode", where={"email": "b@x"}, create={"first": "A"})

    assert error.value.fields == ("first", "last")
    assert await db[user].count() == 1


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"where": {}}, MissingFieldError),
        ({"where": {"visits": 1}}, FieldValueError),
        ({"where": {"email": None}}, MissingFieldError),
        (
            {"where": {"email": "a", "visits": 1}, "conflict_on": ["email"]},
            FieldValueError,
        ),
        ({"where": {"first": "a"}, "conflict_on": ["email"]}, MissingFieldError),
        ({"where": {"email": 1}}, FieldValueError),
        ({"where": "email"}, FieldValueError),
        ({"where": {"emial": "a"}}, UnknownFieldError),
        ({"where": {"email": "a"}, "update": {"visit": 1}}, UnknownFieldError),
        ({"where": {"email": "a"}, "create": {"visits": "1"}}, FieldValueError),
        ({"where": {"email": "a"}, "conflict_on": []}, None),
        ({"where": {"email": "a"}, "conflict_on": 3}, FieldValueError),
        ({"where": {"email": "a"}, "data": {}}, UnknownFieldError),
    ],
)
async def test_what_is_no_upsert_is_refused(
    given: dict[str, object], error: type[Exception] | None, ask: Ask
) -> None:
    if error is None:
        assert (await ask("UserUpsertNode", **given))["created"]
        return
    with pytest.raises(error):
        await ask("UserUpsertNode", **given)


@pytest.mark.usefixtures("user")
async def test_parts_that_arrive_are_checked_when_they_are_there(db: DataFlow) -> None:
    async def part(email: str) -> dict[str, object]:
        return {"where": {"email": email}}

    flow = db.workflow()
    flow.add_node(part, "part", {"email": "a@x"})
    flow.add_node("UserUpsertNode", "upsert", {"create": {"first": "A"}})
    flow.add_connection("part", "where", "upsert", "where")
    results, _ = await db.run(flow.build())

    assert results["upsert"]["created"]
    flow.add_node("UserUpsertNode", "wrong", {"create": {"frist": "A"}})
    flow.add_connection("part", "where", "wrong", "where")
    with pytest.raises(UnknownFieldError):
        flow.build()
