"""A DataFlow from its first use to its end, on both databases and event loops."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Workflow, WorkflowBuilder
from dataflow.errors import (
    ClosedError,
    DataFlowError,
    DeadlineExceededError,
    MemoryDatabaseError,
    UnknownModelError,
    UnknownNodeError,
    UrlError,
    WorkflowError,
)

Call = Callable[[], Awaitable[object]]


def declare(db: DataFlow) -> type:
    @db.model
    class User:
        name: str

    return User


def create(db: DataFlow, name: str = "a") -> Workflow:
    flow = db.workflow()
    flow.add_node("UserCreateNode", "it", {"name": name})
    return flow.build()


# -- entering and leaving --------------------------------------------------------------


async def test_it_may_be_entered_again_and_finds_its_rows(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)
    for number in range(3):
        async with db as entered:
            assert entered is db
            assert await db[user].count() == number
            await db[user].create(name="a")

    assert db.tree() is None


async def test_entering_twice_is_refused_and_harmless(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)
    async with db:
        with pytest.raises(RuntimeError, match="entered already on this event loop"):
            await db.__aenter__()
        assert (await db[user].create(name="a"))["id"] == 1


async def test_an_error_of_the_block_leaves_it_as_it_is(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)

    async def fail() -> None:
        async with db:
            await db[user].create(name="a")
            msg = "mine"
            raise ValueError(msg)

    with pytest.raises(ValueError, match="mine"):
        await fail()
    async with db:
        assert await db[user].count() == 1


async def test_a_block_may_be_cancelled(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)
    with anyio.CancelScope() as scope:
        async with db:
            await db[user].create(name="a")
            scope.cancel()
            await anyio.sleep_forever()
    async with db:
        assert await db[user].count() == 1

    assert scope.cancelled_caught


async def test_a_cancelled_entry_leaves_nothing(database_url: str) -> None:
    db = DataFlow(database_url)
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with db:
            await anyio.sleep_forever()
    async with db:
        assert await db.initialize()


async def test_its_actors_can_be_looked_at(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        await db[declare(db)].create(name="a")
        tree = db.tree()

    assert tree is not None
    assert "UserCreateNode" in str(tree)


# -- models ----------------------------------------------------------------------------


async def test_models_are_found_by_name_and_by_class(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)

    assert db.list_models() == ["User"]
    assert db.get_model("User") is user
    assert db["User"] is db[user]
    assert repr(db[user]) == "<Records of User>"
    assert db[user].model.table == "users"
    with pytest.raises(UnknownModelError, match="did you mean 'User'"):
        db.get_model("Usr")
    with pytest.raises(UnknownModelError) as error:
        _ = db[int]
    assert (error.value.name, error.value.known) == ("int", ("User",))
    with pytest.raises(UnknownNodeError, match="did you mean 'UserCreateNode'"):
        db.workflow().add_node("UserCreatNode", "it")


async def test_a_model_may_be_declared_again(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        before = declare(db)
        old = create(db, "old")
        await db.run(old)

        @db.model
        class User:
            name: str = "new"

        made = await db[User].create()
        again, _ = await db.run(old)
        flow = WorkflowBuilder()
        flow.add_node("UserCreateNode", "it")
        plain, _ = await db.run(flow.build())

        assert db.list_models() == ["User"]
        assert db.get_model("User") is User
        assert made == {"id": 2, "name": "new"}
        assert again["it"] == {"id": 3, "name": "old"}
        assert plain["it"] == {"id": 4, "name": "new"}
        assert db[before] is db[User]
    db.close()


async def test_models_of_one_name_do_not_mix(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")
    first = DataFlow(database_url)
    second = DataFlow(f"sqlite:///{tmp_path / 'second.db'}")
    for db in (first, second):

        @db.model
        class Twin:
            name: str

    def plain(name: str) -> Workflow:
        flow = WorkflowBuilder()
        flow.add_node("TwinCreateNode", "it", {"name": name})
        return flow.build()

    def bound(db: DataFlow, name: str) -> Workflow:
        flow = db.workflow()
        flow.add_node("TwinCreateNode", "it", {"name": name})
        return flow.build()

    async def names(db: DataFlow) -> list[str]:
        return [record["name"] async for record in db["Twin"].stream()]

    async with first, second:
        await first.run(bound(first, "bound to the first"))
        await second.run(bound(second, "bound to the second"))
        await first.run(plain("the last declared"))
        resolved = caplog.text
        second_names = await names(second)
        second.close()
        await first.run(plain("the last that is open"))

        assert await names(first) == ["bound to the first", "the last that is open"]
        assert second_names == ["bound to the second", "the last declared"]
        assert "event='node_resolved' node='TwinCreateNode'" in resolved
        assert "second.db" in resolved
    first.close()
    with pytest.raises(UnknownNodeError):
        plain("nobody is left")


# -- closing ---------------------------------------------------------------------------


async def test_after_close_everything_says_so(database_url: str) -> None:
    db = DataFlow(database_url)
    user = declare(db)
    workflow = create(db)
    async with db:
        await db.run(workflow)
        db.close()
        calls: list[Call] = [
            lambda: db[user].read(1),
            lambda: db[user].stream().__anext__(),
            lambda: db.run(workflow),
            db.initialize,
            db.__aenter__,
        ]
        for call in calls:
            with pytest.raises(ClosedError) as error:
                await call()
            assert error.value.name.startswith("the database ")
        with pytest.raises(WorkflowError) as failed:
            await AsyncLocalRuntime().execute(workflow)
        with pytest.raises(ClosedError):
            declare(db)
        db.close()
        await db.aclose()

    assert isinstance(failed.value.__cause__, ClosedError)
    assert failed.value.node_id == "it"
    with pytest.raises(ClosedError):
        async with db:
            pass


async def test_a_call_in_progress_is_answered_although_it_is_closed(
    database_url: str,
) -> None:
    db = DataFlow(database_url)
    user = declare(db)
    async with db, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: db[user].create(name="a"))
        await anyio.wait_all_tasks_blocked()
        await db.aclose()

    async with DataFlow(database_url) as other:
        assert await other[declare(other)].count() == 1


# -- in memory -------------------------------------------------------------------------


async def test_a_database_in_memory_lives_as_long_as_its_block() -> None:
    db = DataFlow(":memory:")
    user = declare(db)
    for _ in range(2):
        async with db:
            assert (await db[user].create(name="a"))["id"] == 1
            assert await db[user].count() == 1


async def test_a_database_in_memory_belongs_to_one_engine(database_url: str) -> None:
    db = DataFlow(":memory:")
    user = declare(db)
    workflow = create(db)
    async with db:
        await db.run(workflow)
        async with DataFlow(database_url):
            with pytest.raises(WorkflowError) as error:
                await AsyncLocalRuntime().execute(workflow)
        await AsyncLocalRuntime().execute(workflow)
        assert await db[user].count() == 2

    assert isinstance(error.value.__cause__, MemoryDatabaseError)
    assert error.value.__cause__.name == "the database sqlite:///:memory:"
    assert "use a file" in str(error.value)
    async with DataFlow(database_url):
        await AsyncLocalRuntime().execute(workflow)  # nobody else has it now


# -- making one ------------------------------------------------------------------------


async def test_the_environment_names_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with DataFlow() as db:
        assert await db[declare(db)].create(name="a") == {"id": 1, "name": "a"}
    async with DataFlow(database_url) as other:
        assert await other[declare(other)].count() == 1


def test_without_any_name_it_is_a_file_and_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    db = DataFlow()

    assert repr(db) == "<DataFlow sqlite:///dataflow.db, models: >"
    assert "database_url_missing" in caplog.text


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(UrlError):
        DataFlow("mysql://localhost/db")
    with pytest.raises(ValueError, match="pool_size is at least 1, not 0"):
        DataFlow(":memory:", pool_size=0)
    with pytest.raises(DataFlowError, match="tdd_mode"):
        DataFlow(":memory:", tdd_mode=True)


def test_a_password_shows_nowhere() -> None:
    db = DataFlow("postgresql://user:secret@localhost/db")
    declare(db)

    assert "secret" not in repr(db)
    assert all("secret" not in repr(node) for node in db.nodes.values())
    assert "UserReadNode" in db.nodes


async def test_a_run_has_a_deadline(database_url: str) -> None:
    async def never(turn: Any, call_next: Any) -> None:
        del turn, call_next
        await anyio.sleep_forever()

    layers = [never]
    db = DataFlow(database_url, interceptors=layers)
    declare(db)
    async with db:
        workflow = create(db)
        with anyio.fail_after(10):
            with pytest.raises(DeadlineExceededError) as late:
                await db.run(workflow, deadline=anyio.current_time() + 0.05)
            with pytest.raises(DeadlineExceededError) as over:
                await db.run(workflow, deadline=anyio.current_time() - 1, run_id="r")

    assert "'it'" in late.value.actor
    assert over.value.actor == "'it' (run r)"


async def test_a_run_of_one_that_is_not_entered_keeps_its_id_and_its_deadline(
    database_url: str,
) -> None:
    db = DataFlow(database_url)
    declare(db)
    with anyio.fail_after(10):
        deadline = anyio.current_time() + 8
        results, run_id = await db.run(create(db), deadline=deadline, run_id="mine")
        with pytest.raises(DeadlineExceededError):
            await db.run(create(db), deadline=anyio.current_time() - 1)
        await db.aclose()

    assert results["it"]["name"] == "a"
    assert run_id == "mine"
