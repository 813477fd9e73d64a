from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
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


async def test_the_result_is_every_column_of_the_row(db: DataFlow, ask: Ask) -> None:
    @db.model
    class User:
        name: str
        email: str | None = None
        active: bool = True

    created = await ask("UserCreateNode", name="Ada")

    assert created == {"id": 1, "name": "Ada", "email": None, "active": True}
    assert list(created) == ["id", "name", "email", "active"]
    assert await db[User].read(1) == {**created, "found": True}


async def test_a_default_of_one_row_is_not_that_of_another(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class Post:
        tags: list[str] = []  # noqa: RUF012  # each row gets its own
        options: dict[str, Any] = {}  # noqa: RUF012  # likewise
        number: int = field(default_factory=iter(range(5)).__next__)

    first = await ask("PostCreateNode")
    first["tags"].append("changed")
    second = await ask("PostCreateNode")

    assert second == {"id": 2, "tags": [], "options": {}, "number": 1}


async def test_times_are_managed(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Note:
        __dataflow__: ClassVar = {"timestamps": True}

        text: str

    start = datetime.now(UTC)
    created = await ask("NoteCreateNode", text="a")
    updated = await ask("NoteUpdateNode", id=1, text="b")

    assert start <= created["created_at"] <= datetime.now(UTC)
    assert created["updated_at"] == created["created_at"]
    assert updated["created_at"] == created["created_at"]
    assert updated["updated_at"] > created["updated_at"]


async def test_a_declared_time_is_managed_and_may_be_given(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class Note:
        text: str
        created_at: datetime

    then = datetime(2020, 1, 1, tzinfo=UTC)
    given = await ask("NoteCreateNode", text="a", created_at=then)
    managed = await ask("NoteCreateNode", text="b")

    assert given["created_at"] == then
    assert managed["created_at"] - datetime.now(UTC) < timedelta(minutes=1)


async def test_a_model_without_fields_has_rows(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Ticket:
        pass

    assert await ask("TicketCreateNode") == {"id": 1}
    assert await ask("TicketCreateNode", id=None) == {"id": 2}


async def test_an_explicit_key_is_kept(db: DataFlow, ask: Ask) -> None:
    @db.model
    class User:
        name: str

    assert await ask("UserCreateNode", id=77, name="a") == {"id": 77, "name": "a"}


async def test_generated_keys_go_on_behind_explicit_ones(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class User:
        name: str

    for number in (1, 2, 3):
        await ask("UserCreateNode", id=number, name="given")
    made = [await ask("UserCreateNode", name="made") for _ in range(2)]

    assert [row["id"] for row in made] == [4, 5]


async def test_generated_keys_go_on_when_many_ask_at_once(db: DataFlow) -> None:
    @db.model
    class User:
        name: str

    await db[User].bulk_create([{"id": n, "name": "given"} for n in range(1, 9)])
    made: list[int] = []

    async def create() -> None:
        made.append((await db[User].create(name="made"))["id"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(create)

    assert sorted(made) == list(range(9, 49))


async def test_a_second_row_with_the_same_key_is_refused(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class User:
        name: str
        email: str = field(unique=True)

    await ask("UserCreateNode", id=1, name="a", email="a@x")
    with pytest.raises(DuplicateKeyError) as by_key:
        await ask("UserCreateNode", id=1, name="b", email="b@x")
    with pytest.raises(DuplicateKeyError) as by_email:
        await ask("UserCreateNode", name="b", email="a@x")

    assert (by_key.value.table, by_key.value.fields) == ("users", ("id",))
    assert (by_email.value.table, by_email.value.fields) == ("users", ("email",))
    assert str(by_email.value) == (
        "users has a row with the same email; nothing was stored: update that row, "
        "or upsert"
    )
    assert await db[User].count() == 1


async def test_bad_fields_are_told_when_the_workflow_is_built(
    db: DataFlow, ask: Ask
) -> None:
    @db.model
    class User:
        name: str
        age: int = 0

    with pytest.raises(UnknownFieldError) as unknown:
        await ask("UserCreateNode", name="a", agee=1)
    with pytest.raises(MissingFieldError) as missing:
        await ask("UserCreateNode", age=1)
    with pytest.raises(FieldValueError) as wrong:
        await ask("UserCreateNode", name="a", age="1")

    assert str(unknown.value) == (
        "UserCreateNode 'it' has no 'agee': did you mean 'age'?"
    )
    assert (missing.value.field, missing.value.expected) == ("name", "str")
    assert (wrong.value.field, wrong.value.came) == ("age", "str")


async def test_one_bad_message_of_many_fails_alone(db: DataFlow) -> None:
    @db.model
    class User:
        name: str = field(unique=True)

    failed: list[type[Exception]] = []

    async def create(name: object) -> None:
        try:
            await db[User].create(name=name)
        except (DuplicateKeyError, FieldValueError) as error:
            failed.append(type(error))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for name in ("a", "b", "a", 3, "c"):
                tasks.start_soon(create, name)

    assert sorted(each.__name__ for each in failed) == [
        "DuplicateKeyError",
        "FieldValueError",
    ]
    assert await db[User].count() == 3


async def test_a_default_factory_that_fails_fails_its_message_alone(
    db: DataFlow,
) -> None:
    def refuse() -> str:
        msg = "no default today"
        raise RuntimeError(msg)

    @db.model
    class User:
        name: str = field(default_factory=refuse)

    with pytest.raises(RuntimeError, match="no default today"):
        await db[User].create()
    assert await db[User].create(name="a") == {"id": 1, "name": "a"}
