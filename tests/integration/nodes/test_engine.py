"""What runs nodes on one event loop, without a DataFlow around it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

import anyio
import pytest

from dataflow.actors import Handler, Turn
from dataflow.drivers import parse_url
from dataflow.errors import (
    ClosedError,
    DataFlowError,
    DriverError,
    MailboxClosedError,
    WriteBlockedError,
)
from dataflow.messages import Message, Request
from dataflow.nodes import (
    Catalogue,
    Database,
    Engine,
    Engines,
    FunctionNode,
    Node,
    Port,
)
from dataflow.schema import ensure_table


class Item:
    name: str


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(parse_url(database_url), prepare=ensure_table)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    catalogue = Catalogue(database)
    catalogue.add(Item)
    return catalogue


async def ask(engine: Engine, node: Node, **parameters: Any) -> Any:
    ref = await engine.ref(node)
    return await ref.ask(node.message(parameters))


async def test_an_actor_is_made_with_its_first_message_and_kept(
    catalogue: Catalogue, database: Database
) -> None:
    node = catalogue.node("ItemCreateNode")
    async with Engine() as engine:
        assert engine.ref_nowait(node) is None
        assert engine.pool(database) is None
        ref = await engine.ref(node)
        assert engine.ref_nowait(node) is ref is await engine.ref(node)
        assert await ask(engine, node, name="a") == {"id": 1, "name": "a"}
        statistics = engine.pool(database)
        assert statistics is not None
        assert (statistics.open, statistics.in_use) == (statistics.idle, 0)
        assert ref.path == "/database-1/ItemCreateNode"


async def test_a_released_database_may_be_used_again(
    catalogue: Catalogue, database: Database
) -> None:
    node = catalogue.node("ItemCreateNode")
    async with Engine() as engine:
        first = await engine.ref(node)
        await ask(engine, node, name="a")
        await engine.release(database)
        await engine.release(database)
        released = list(database.holders)
        second = await ask(engine, node, name="b")

        assert released == []
        assert second == {"id": 2, "name": "b"}
        assert engine.ref_nowait(node) is not first
        with pytest.raises(MailboxClosedError):
            await first.ask(node.message({"name": "c"}))


async def test_a_release_serves_what_was_sent_before(
    catalogue: Catalogue, database: Database
) -> None:
    node = catalogue.node("ItemCreateNode")
    made: list[Any] = []

    async def create(engine: Engine) -> None:
        made.append(await ask(engine, node, name="a"))

    async with Engine() as engine:
        await engine.prepare(database, catalogue.model("Item"))
        await engine.ping(database)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(create, engine)
            await anyio.wait_all_tasks_blocked()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await engine.release(database)

    assert len(made) == 20


async def test_after_its_end_it_refuses(catalogue: Catalogue) -> None:
    async with Engine() as engine:
        await ask(engine, catalogue.node("ItemCreateNode"), name="a")
    with pytest.raises(ClosedError) as error:
        await engine.ref(catalogue.node("ItemCreateNode"))

    assert error.value.name == "the engine"


async def test_a_database_that_cannot_be_opened_is_not_held(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    database = Database(parse_url(sqlite_url))
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 30, 0))
    async with Engine() as engine:
        with pytest.raises(DriverError, match="too old"):
            await engine.ping(database)

    assert database.holders == []


async def test_an_entry_that_fails_leaves_nothing() -> None:
    def refuse(engine: Engine) -> nullcontext[None]:
        raise RuntimeError(repr(engine.is_shared))

    engines = Engines(refuse)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="False"):
            await engines.enter()

    assert engines.current() is None


async def test_functions_share_a_pool_of_actors() -> None:
    async def double(number: int) -> int:
        return 2 * number

    node = FunctionNode(double)
    async with Engine() as engine:
        assert engine.ref_nowait(node) is await engine.ref(node)
        assert await ask(engine, node, number=4) == {"result": 8}


class StrangeNode(Node):
    name = "StrangeNode"

    def accepts(self, name: str) -> Port | None: ...

    def inputs(self) -> tuple[str, ...]:
        return ()

    def offers(self, name: str) -> Port | None: ...

    def outputs(self) -> tuple[str, ...]:
        return ()

    def check(
        self, where: str, parameters: Mapping[str, Any], arriving: Collection[str]
    ) -> None: ...

    def message(self, parameters: dict[str, Any]) -> Message:
        return Message()


async def test_a_kind_of_node_it_does_not_know_is_refused() -> None:
    async with Engine() as engine:
        with pytest.raises(TypeError, match="runs nodes of models, SQL and functions"):
            await engine.ref(StrangeNode())


async def test_a_layer_may_refuse_one_message_of_a_turn(database_url: str) -> None:
    """The others of the turn are served."""
    turns: list[int] = []

    async def refuse_odd(turn: Turn, call_next: Handler) -> None:
        turns.append(len(turn))
        for envelope in turn:
            request = envelope.message
            assert isinstance(request, Request)
            if int(request.parameters["name"]) % 2:
                turn.refuse(envelope, WriteBlockedError("Item", "create", "odd"))
        await call_next(turn)

    database = Database(
        parse_url(database_url), prepare=ensure_table, interceptors=[refuse_odd]
    )
    catalogue = Catalogue(database)
    catalogue.add(Item)
    node = catalogue.node("ItemCreateNode")
    served: list[str] = []
    refused: list[DataFlowError] = []

    async def create(engine: Engine, number: int) -> None:
        try:
            served.append((await ask(engine, node, name=str(number)))["name"])
        except WriteBlockedError as error:
            refused.append(error)

    async with Engine() as engine, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(create, engine, number)

    assert sorted(served, key=int) == [str(number) for number in range(0, 20, 2)]
    assert len(refused) == 10
    assert max(turns) > 1
