"""Bad input gets an error of its own class, stores nothing, and the next call works."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import anyio
import pytest
from postgres import SCRAM_ROLE

from dataflow import DataFlow, Records, field
from dataflow.errors import (
    AmbiguousFilterError,
    AuthenticationError,
    ClosedError,
    ConfirmationRequiredError,
    ConstraintError,
    DatabaseUnreachableError,
    DataFlowError,
    DuplicateKeyError,
    FieldValueError,
    FilterError,
    MissingFieldError,
    QueryError,
    RecordNotFoundError,
    UnknownFieldError,
    UnknownModelError,
    UrlError,
    WorkflowError,
)

Action = Callable[[Records], Awaitable[Any]]

BAD: dict[str, tuple[Action, type[DataFlowError], dict[str, Any], str]] = {
    "an unknown field": (
        lambda users: users.create(name="x", emial="y"),
        UnknownFieldError,
        {"field": "emial", "owner": "UserCreateNode"},
        "did you mean 'email'?",
    ),
    "a missing field": (
        lambda users: users.create(name="x"),
        MissingFieldError,
        {"field": "email"},
        "UserCreateNode needs 'email' (str)",
    ),
    "a wrong type": (
        lambda users: users.create(name="x", email="y", age="20"),
        FieldValueError,
        {"field": "age", "came": "str", "expected": "int or None"},
        "UserCreateNode.age takes int or None, not str",
    ),
    "a text for a datetime": (
        lambda users: users.create(name="x", email="y", seen="2026-01-01T00:00:00"),
        FieldValueError,
        {"field": "seen"},
        "datetime.fromisoformat",
    ),
    "a datetime without timezone": (
        lambda users: users.create(name="x", email="y", seen=datetime(2026, 1, 1)),  # noqa: DTZ001  that is the mistake
        FieldValueError,
        {"field": "seen"},
        "without timezone",
    ),
    "a template": (
        lambda users: users.create(name="x", email="y", age="${a.id}"),
        FieldValueError,
        {"field": "age"},
        "connect the nodes",
    ),
    "a NUL character": (
        lambda users: users.create(name="x\0", email="y"),
        FieldValueError,
        {"field": "name"},
        "NUL",
    ),
    "a lone surrogate": (
        lambda users: users.create(name="\ud800", email="y"),
        FieldValueError,
        {"field": "name"},
        "surrogate",
    ),
    "an int past 64 bits": (
        lambda users: users.create(name="x", email="y", age=2**63),
        FieldValueError,
        {"field": "age"},
        "64 bits",
    ),
    "a duplicate": (
        lambda users: users.create(name="x", email="old@x"),
        DuplicateKeyError,
        {"table": "users", "fields": ("email",), "kind": "unique"},
        "users has a row with the same email",
    ),
    "a duplicate in bulk": (
        lambda users: users.bulk_create(
            [{"name": "x", "email": "new@x"}, {"name": "x", "email": "old@x"}]
        ),
        DuplicateKeyError,
        {"table": "users", "fields": ("email",)},
        "nothing was stored",
    ),
    "a wrong type in bulk": (
        lambda users: users.bulk_create(
            [{"name": "x", "email": "new@x"}, {"name": 1, "email": "n"}]
        ),
        FieldValueError,
        {"field": "name"},
        "data[1]",
    ),
    "a missing row": (
        lambda users: users.read(999),
        RecordNotFoundError,
        {"model": "User", "key": ("id",)},
        "no User matches the given id",
    ),
    "a key of the wrong type": (
        lambda users: users.read("1"),
        FieldValueError,
        {"field": "id", "came": "str"},
        "takes int",
    ),
    "no key": (
        lambda users: users.read(),
        MissingFieldError,
        {"field": "record_id"},
        "the key of one User",
    ),
    "a filter for several rows": (
        lambda users: users.update(filter={"name": "old"}, fields={"age": 1}),
        AmbiguousFilterError,
        {"bulk": "UserBulkUpdateNode"},
        "matches several",
    ),
    "an unknown field in a filter": (
        lambda users: users.list(filter={"$or": [{"nmae": "x"}]}),
        FilterError,
        {"path": "$or[0].nmae"},
        "did you mean 'name'?",
    ),
    "an unknown operator": (
        lambda users: users.list(filter={"age": {"$gtt": 1}}),
        FilterError,
        {"path": "age.$gtt"},
        "did you mean '$gt'?",
    ),
    "a wrong type in a filter": (
        lambda users: users.count(filter={"age": {"$gt": "20"}}),
        FilterError,
        {"path": "age.$gt"},
        "takes int, not str",
    ),
    "an unknown order": (
        lambda users: users.list(order_by=["-agee"]),
        FilterError,
        {"path": "order_by"},
        "did you mean 'age'?",
    ),
    "a negative limit": (
        lambda users: users.list(limit=-1),
        FieldValueError,
        {"field": "limit"},
        "at least 0",
    ),
    "a forged cursor": (
        lambda users: users.list(cursor="eyJtYXJrIjoieCIsInZhbHVlcyI6W119"),
        FilterError,
        {"path": "cursor"},
        "not a cursor that was made here",
    ),
    "an empty filter in bulk": (
        lambda users: users.bulk_delete(filter={}),
        ConfirmationRequiredError,
        {"node": "UserBulkDeleteNode"},
        "confirmed=True",
    ),
    "key fields that are not unique": (
        lambda users: users.bulk_upsert(
            [{"name": "x", "email": "y"}], key_fields=["name"]
        ),
        FieldValueError,
        {"field": "key_fields"},
        "not unique",
    ),
    "None where it cannot be": (
        lambda users: users.update(1, name=None),
        FieldValueError,
        {"field": "name", "came": "None"},
        "takes str, not None",
    ),
}


def declare(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        email: str = field(unique=True)
        age: int | None = None
        seen: datetime | None = None


@pytest.fixture
async def users(database_url: str) -> AsyncIterator[Records]:
    db = DataFlow(database_url)
    declare(db)
    async with db:
        await db["User"].create(name="old", email="old@x")
        await db["User"].create(name="old", email="older@x")
        yield db["User"]
    db.close()


@pytest.mark.parametrize("mistake", BAD)
async def test_the_mistake_is_named_and_nothing_is_stored(
    users: Records, mistake: str
) -> None:
    action, kind, facts, text = BAD[mistake]
    with anyio.fail_after(20):
        before = await users.list()
        with pytest.raises(kind) as caught:
            await action(users)
        after = await users.list()
        created = await users.create(name="next", email="next@x")

    assert type(caught.value) is kind
    assert {name: getattr(caught.value, name) for name in facts} == facts
    assert text in str(caught.value)
    assert after == before
    assert created["name"] == "next"


async def test_a_workflow_says_which_node_failed_and_why(users: Records) -> None:
    db = DataFlow("sqlite://")
    declare(db)
    workflow = db.workflow()
    workflow.add_node("UserReadNode", "find", {"record_id": 5})
    async with db:
        with pytest.raises(WorkflowError) as caught:
            await db.run(workflow.build(), run_id="run-7")
    db.close()

    assert (caught.value.node_id, caught.value.run_id) == ("find", "run-7")
    assert isinstance(caught.value.__cause__, RecordNotFoundError)
    assert "'find' failed: no User matches" in str(caught.value)
    assert await users.count() == 2


async def test_an_unknown_model_is_told_with_the_nearest_name() -> None:
    db = DataFlow("sqlite://")
    declare(db)

    with pytest.raises(UnknownModelError, match="did you mean 'User'"):
        db["Usr"]
    with pytest.raises(UnknownModelError, match="did you mean 'User'"):
        db.get_model("Users")


async def test_a_table_that_is_not_there_is_an_error_of_the_query(
    database_url: str,
) -> None:
    db = DataFlow(database_url, auto_migrate=False)
    declare(db)
    async with db:
        with pytest.raises(QueryError, match="users"):
            await db["User"].list()
    db.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.postgres
async def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    port = free_port()
    db = DataFlow(f"postgresql://user:canary-7@127.0.0.1:{port}/db")
    declare(db)
    async with db:
        with anyio.fail_after(20):
            with pytest.raises(DatabaseUnreachableError):
                await db["User"].list()
            with pytest.raises(DatabaseUnreachableError) as caught:
                await db["User"].list()
    db.close()

    assert str(port) in str(caught.value)
    assert "canary-7" not in repr(caught.value) + str(caught.value) + repr(db)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Any) -> None:
    db = DataFlow(f"sqlite:///{tmp_path}/missing/app.db")
    declare(db)
    async with db:
        with pytest.raises(DatabaseUnreachableError, match="missing"):
            await db["User"].list()
    db.close()


@pytest.mark.postgres
async def test_a_wrong_password_is_an_error_of_its_own(postgres_url: str) -> None:
    _, _, rest = postgres_url.partition("@")
    db = DataFlow(f"postgresql://{SCRAM_ROLE}:canary-8@{rest}")
    declare(db)
    async with db:
        with pytest.raises(AuthenticationError) as caught:
            await db["User"].list()
    db.close()

    assert "canary-8" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://u:canary-9@h/d", "postgresql"),
        ("postgresq://u:canary-9@h/d", "did you mean"),
        ("what is this", "sqlite"),
    ],
)
def test_a_url_that_cannot_be_understood_says_what_can(url: str, text: str) -> None:
    with pytest.raises(UrlError) as caught:
        DataFlow(url)

    assert text in str(caught.value)
    assert "canary-9" not in str(caught.value)


async def test_a_closed_dataflow_says_so(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)
    users = db["User"]
    await db.aclose()
    await db.aclose()

    with pytest.raises(ClosedError):
        await users.list()
    with pytest.raises(ClosedError):
        async with db:
            pass


def test_constraint_errors_tell_kind_table_and_fields() -> None:
    error = ConstraintError("check", "users", ("age",), "23514")

    assert str(error) == "a row breaks the check rule of users(age); nothing was stored"
