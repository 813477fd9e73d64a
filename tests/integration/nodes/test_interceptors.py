"""Every path to a database goes by the interceptors, once per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, Records, WorkflowBuilder
from dataflow.actors import Handler, Turn
from dataflow.errors import WorkflowError, WriteBlockedError
from dataflow.messages import Operation, Request

Call = Callable[[Records], Coroutine[Any, Any, Any]]

CALLS: dict[Operation, tuple[Call, dict[str, Any]]] = {
    Operation.CREATE: (lambda rows: rows.create(name="b"), {"name": "b"}),
    Operation.READ: (lambda rows: rows.read(1), {"id": 1}),
    Operation.UPDATE: (lambda rows: rows.update(1, name="c"), {"id": 1, "name": "c"}),
    Operation.DELETE: (lambda rows: rows.delete(1), {"id": 1}),
    Operation.LIST: (lambda rows: rows.list(), {}),
    Operation.COUNT: (lambda rows: rows.count(), {}),
    Operation.AGGREGATE: (
        lambda rows: rows.aggregate({"n": {"$count": "*"}}),
        {"aggregates": {"n": {"$count": "*"}}},
    ),
    Operation.UPSERT: (
        lambda rows: rows.upsert(where={"id": 1}, create={"name": "d"}),
        {"where": {"id": 1}, "create": {"name": "d"}},
    ),
    Operation.BULK_CREATE: (
        lambda rows: rows.bulk_create([{"name": "e"}] * 3),
        {"data": [{"name": "e"}] * 3},
    ),
    Operation.BULK_UPDATE: (
        lambda rows: rows.bulk_update(filter={"id": 1}, update={"name": "f"}),
        {"filter": {"id": 1}, "update": {"name": "f"}},
    ),
    Operation.BULK_DELETE: (
        lambda rows: rows.bulk_delete(ids=[1]),
        {"ids": [1]},
    ),
    Operation.BULK_UPSERT: (
        lambda rows: rows.bulk_upsert([{"id": 1, "name": "g"}]),
        {"data": [{"id": 1, "name": "g"}]},
    ),
}


class Gate:
    """Counts messages by operation, and refuses writes once it is shut."""

    def __init__(self) -> None:
        self.seen: Counter[Operation] = Counter()
        self.facts: list[tuple[object, ...]] = []
        self.is_shut = False

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        for envelope in turn.taken:
            request = envelope.message
            assert isinstance(request, Request)
            self.seen[request.operation] += 1
            self.facts.append((request.node, request.model, envelope.principal))
            if self.is_shut:
                operation = request.operation.value
                error = WriteBlockedError(request.model, operation, "Gate")
                turn.refuse(envelope, error)
        if turn:
            await call_next(turn)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def db(database_url: str, gate: Gate) -> AsyncIterator[DataFlow]:
    db = DataFlow(database_url, interceptors=[gate])

    @db.model
    class Item:
        name: str

    async with db:
        await db[Item].create(name="a")
        gate.seen.clear()
        gate.facts.clear()
        yield db
    db.close()


def workflow_of(db: DataFlow, operation: Operation) -> WorkflowBuilder:
    (name,) = (
        name
        for name, node in db.nodes.items()
        if getattr(node, "operation", None) is operation
    )
    flow = db.workflow()
    flow.add_node(name, "it", CALLS[operation][1])
    return flow


@pytest.mark.parametrize("operation", CALLS)
async def test_a_direct_call_is_one_message(
    operation: Operation, db: DataFlow, gate: Gate
) -> None:
    await CALLS[operation][0](db["Item"])

    assert gate.seen == {operation: 1}


@pytest.mark.parametrize("operation", CALLS)
async def test_a_node_of_a_workflow_is_one_message(
    operation: Operation, db: DataFlow, gate: Gate
) -> None:
    await db.run(workflow_of(db, operation).build(), principal="ada")
    ((node, model, principal),) = gate.facts

    assert gate.seen == {operation: 1}
    assert str(node).startswith("Item")
    assert (model, principal) == ("Item", "ada")


@pytest.mark.parametrize("operation", CALLS)
async def test_what_is_refused_does_not_reach_the_database(
    operation: Operation, db: DataFlow, gate: Gate
) -> None:
    gate.is_shut = True
    with pytest.raises(WriteBlockedError) as direct:
        await CALLS[operation][0](db["Item"])
    with pytest.raises(WorkflowError) as flow:
        await db.run(workflow_of(db, operation).build())
    gate.is_shut = False
    records = (await db["Item"].list())["records"]

    assert direct.value.operation == operation.value
    assert isinstance(flow.value.__cause__, WriteBlockedError)
    assert records == [{"id": 1, "name": "a"}]


async def test_raw_sql_is_one_message_to_every_model(db: DataFlow, gate: Gate) -> None:
    flow = db.workflow()
    flow.add_node("AsyncSQLDatabaseNode", "it", {"query": "SELECT name FROM items"})
    await db.run(flow.build())

    assert gate.facts == [("AsyncSQLDatabaseNode", "*", None)]
    assert gate.seen == {Operation.SQL: 1}


async def test_a_stream_is_one_message(db: DataFlow, gate: Gate) -> None:
    await db["Item"].bulk_create([{"name": "b"}] * 4)
    async for _ in db["Item"].stream(page=2):
        pass

    assert gate.seen == {Operation.BULK_CREATE: 1, Operation.STREAM: 1}


async def test_of_many_messages_at_once_each_is_seen_once(
    db: DataFlow, gate: Gate
) -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(CALLS[Operation.CREATE][0], db["Item"])
            for _ in range(50):
                tasks.start_soon(db["Item"].read, 1)

    assert gate.seen == {Operation.CREATE: 100, Operation.READ: 50}
    assert await db["Item"].count() == 101


async def test_the_first_interceptor_is_outermost(database_url: str) -> None:
    order: list[str] = []

    def named(name: str) -> Any:
        async def layer(turn: Turn, call_next: Handler) -> None:
            order.append(f"{name} in")
            await call_next(turn)
            order.append(f"{name} out")

        return layer

    layers = [named("a"), named("b")]
    db = DataFlow(database_url, interceptors=layers)

    @db.model
    class Item:
        name: str

    layers.clear()
    async with db:
        await db[Item].create(name="x")

    assert order == ["a in", "b in", "b out", "a out"]


async def test_a_function_is_no_message_to_the_database(
    db: DataFlow, gate: Gate
) -> None:
    async def read(record_id: int) -> dict[str, Any]:
        return await db["Item"].read(record_id)

    flow = db.workflow()
    flow.add_node(read, "it", {"record_id": 1})
    results, _ = await db.run(flow.build(), principal="ada")

    assert results["it"]["name"] == "a"
    assert gate.facts == [("ItemReadNode", "Item", "ada")]
