"""Every path, every operation, every level: denied, and nothing is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from dataflow import AsyncLocalRuntime, DataFlow, Records, field
from dataflow.errors import BlockedError, WorkflowError
from dataflow.protection import Policy, Rule, Window, deny

Call = Callable[[Records], Awaitable[Any]]

WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "create": ("Create", {"name": "new"}),
    "update": ("Update", {"id": 1, "name": "new"}),
    "delete": ("Delete", {"id": 1}),
    "upsert": (
        "Upsert",
        {"where": {"id": 1}, "create": {"name": "new"}, "update": {"name": "new"}},
    ),
    "upsert of a new row": (
        "Upsert",
        {"where": {"id": 9}, "create": {"name": "new"}, "update": {"name": "new"}},
    ),
    "bulk_create": ("BulkCreate", {"data": [{"name": "new"}]}),
    "bulk_create of changes": (
        "BulkCreate",
        {"data": [{"id": 1, "name": "new"}], "conflict_resolution": "upsert"},
    ),
    "bulk_create in batches": (
        "BulkCreate",
        {"data": [{"name": f"new {n}"} for n in range(120)], "batch_size": 60},
    ),
    "bulk_update": ("BulkUpdate", {"filter": {"id": 1}, "update": {"name": "new"}}),
    "bulk_update by rows": ("BulkUpdate", {"data": [{"id": 1, "name": "new"}]}),
    "bulk_delete": ("BulkDelete", {"filter": {"id": 1}}),
    "bulk_delete by ids": ("BulkDelete", {"ids": [1]}),
    "bulk_upsert": ("BulkUpsert", {"data": [{"id": 1, "name": "new"}]}),
}
RAW = {
    "raw insert": "INSERT INTO items (name) VALUES ('new')",
    "raw update": "UPDATE items SET name = 'new' WHERE id = 1",
    "raw delete": "DELETE FROM items",
    "raw upsert": (
        "INSERT INTO items (id, name) VALUES (1, 'new') "
        "ON CONFLICT (id) DO UPDATE SET name = 'new'"
    ),
    "raw change of the schema": "DROP TABLE items",
    "raw something": "EXPLAIN ANALYZE DELETE FROM items",
}
DELETES = {"delete", "bulk_delete", "bulk_delete by ids"}

FIELD = [deny(fields="name", models="Item")]
LEVELS: dict[str, object] = {
    "global": Policy.read_only("stocktaking"),
    "connection": deny("write", connections="*"),
    "model": deny(models="Item"),
    "operation": deny(
        ["create", "update", "delete", "schema", "bulk_create", "bulk_upsert"]
    ),
    "field": FIELD,
    "row, old and new": [
        deny("write", models="Item", when={"old.name": "old"}, id="stored"),
        deny("create", models="Item", when={"new.name": {"$like": "new%"}}),
    ],
    "number of rows": deny("write", max_rows=0),
    "runtime, principal": deny("write", when={"principal": {"$ne": "ada"}}),
    "runtime, context": deny("write", when={"context.role": {"$ne": "clerk"}}),
    "runtime, time": deny("write", window=Window(zone="Europe/Zurich")),
    "runtime, rate": deny("write", rate="0/day"),
    "default": Policy.production(),
    "approval": Rule("require_approval", "write"),
}


def declare(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        note: str | None = field(default=None)


async def call(db: DataFlow, path: str, node: str, given: dict[str, Any]) -> None:
    """Send by one of the paths there are; raise what comes of it."""
    if path == "direct":
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in node)[1:]
        parameters = dict(given)
        await getattr(db["Item"], name)(**parameters)
        return
    workflow = db.workflow()
    workflow.add_node(f"Item{node}Node", "it", given)
    await run(db, path, workflow.build())


async def run(db: DataFlow, path: str, workflow: Any) -> None:
    try:
        if path == "runtime":
            await AsyncLocalRuntime().execute(workflow)
        else:
            await db.run(workflow)
    except WorkflowError as error:
        raise error.__cause__ or error from None


async def rows_of(url: str) -> list[Any]:
    plain = DataFlow(url)
    declare(plain)
    async with plain:
        page = await plain["Item"].list(limit=None)
    plain.close()
    return list(page["records"])


def written(events: list[Any]) -> Iterator[str]:
    for event in events:
        text = str(event.get("text", "")).lstrip().upper()
        if text.startswith(("INSERT", "UPDATE", "DELETE", "COPY", "DROP", "MERGE")):
            yield text


@pytest.fixture
async def url(database_url: str) -> str:
    """Give the URL of a database with one row."""
    plain = DataFlow(database_url)
    declare(plain)
    async with plain:
        await plain["Item"].create(name="old")
    plain.close()
    return database_url


@pytest.mark.slow
@pytest.mark.parametrize("path", ["direct", "workflow", "runtime"])
@pytest.mark.parametrize("level", LEVELS)
async def test_a_write_is_denied_and_nothing_is_written(
    url: str, level: str, path: str
) -> None:
    db = DataFlow(url, protection=LEVELS[level], echo=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    declare(db)
    passed: list[str] = []
    with anyio.fail_after(60):
        async with db:
            with capture_logs() as events:
                for name, (node, given) in WRITES.items():
                    if level == "field" and name in DELETES:
                        continue  # no field is written
                    try:
                        await call(db, path, node, given)
                    except BlockedError:
                        continue
                    passed.append(name)
        rows = await rows_of(url)
    db.close()

    assert passed == []
    assert rows == [{"id": 1, "name": "old", "note": None}]
    if level != "number of rows":  # which is known once they are written
        assert list(written(events)) == []
    assert {"write_denied"} <= {event["event"] for event in events}


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
async def test_raw_sql_is_denied_and_nothing_is_written(url: str, level: str) -> None:
    db = DataFlow(url, protection=LEVELS[level], echo=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    declare(db)
    passed: list[str] = []
    with anyio.fail_after(60):
        async with db:
            with capture_logs() as events:
                for name, query in RAW.items():
                    if level == "field" and name == "raw delete":
                        continue  # no field is written
                    if not await is_denied(db, query):
                        passed.append(name)
        rows = await rows_of(url)
    db.close()

    assert passed == []
    assert rows == [{"id": 1, "name": "old", "note": None}]
    if level != "number of rows":
        assert list(written(events)) == []


async def is_denied(db: DataFlow, query: str) -> bool:
    workflow = db.workflow()
    parameters = {"query": query, "validate_queries": False}
    workflow.add_node("AsyncSQLDatabaseNode", "it", parameters)
    try:
        await run(db, "workflow", workflow.build())
    except BlockedError:
        return True
    return False


READS: dict[str, tuple[str, dict[str, Any]]] = {
    "read": ("Read", {"id": 1}),
    "list": ("List", {}),
    "distinct": ("List", {"fields": ["name"], "distinct": True}),
    "count": ("Count", {}),
    "aggregate": ("Aggregate", {"aggregates": {"n": {"$count": "*"}}}),
}


@pytest.mark.parametrize("path", ["direct", "workflow", "runtime"])
async def test_a_read_is_denied(url: str, path: str) -> None:
    db = DataFlow(url, protection=deny("read", models="Item"))
    declare(db)
    passed: list[str] = []
    with anyio.fail_after(60):
        async with db:
            for name, (node, given) in READS.items():
                try:
                    await call(db, path, node, given)
                except BlockedError:
                    continue
                passed.append(name)
            is_raw_denied = await is_denied(db, "SELECT name FROM items")
    db.close()

    assert passed == []
    assert is_raw_denied


@pytest.mark.parametrize("level", ["global", "field", "row, old and new"])
async def test_synchronous_code_is_no_way_around(url: str, level: str) -> None:
    from dataflow import LocalRuntime  # noqa: PLC0415  # only here

    db = DataFlow(url, protection=LEVELS[level])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    declare(db)
    workflow = db.workflow()
    workflow.add_node("ItemCreateNode", "it", {"name": "new"})
    built = workflow.build()

    def execute() -> None:
        LocalRuntime().execute(built)

    with anyio.fail_after(60):
        with pytest.raises(WorkflowError) as caught:
            await anyio.to_thread.run_sync(execute)
        rows = await rows_of(url)
    await db.aclose()

    assert isinstance(caught.value.__cause__, BlockedError)
    assert len(rows) == 1
