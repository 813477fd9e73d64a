"""There is no path around a layer: every surface is a sender of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, Records
from dataflow.errors import WorkflowError, WriteBlockedError
from dataflow.protection import ReadOnly

Write = Callable[[Records], Awaitable[Any]]

WRITES: dict[str, Write] = {
    "create": lambda rows: rows.create(name="new"),
    "update": lambda rows: rows.update(1, name="new"),
    "delete": lambda rows: rows.delete(1),
    "upsert": lambda rows: rows.upsert(where={"id": 1}, update={"name": "new"}),
    "bulk_create": lambda rows: rows.bulk_create([{"name": "new"}]),
    "bulk_update": lambda rows: rows.bulk_update(
        filter={"id": 1}, update={"name": "new"}
    ),
    "bulk_delete": lambda rows: rows.bulk_delete(ids=[1]),
    "bulk_upsert": lambda rows: rows.bulk_upsert([{"id": 1, "name": "new"}]),
}


def declare(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str


@pytest.fixture
async def protected(database_url: str) -> AsyncIterator[DataFlow]:
    """Give a protected DataFlow over a table with one row."""
    plain = DataFlow(database_url)
    declare(plain)
    async with plain:
        await plain["Item"].create(name="old")
    plain.close()
    db = DataFlow(database_url, interceptors=[ReadOnly()])
    declare(db)
    async with db:
        yield db
    db.close()


@pytest.mark.parametrize("operation", WRITES)
async def test_a_direct_write_is_refused_and_changes_nothing(
    protected: DataFlow, operation: str
) -> None:
    with anyio.fail_after(20):
        with pytest.raises(WriteBlockedError) as caught:
            await WRITES[operation](protected["Item"])
        page = await protected["Item"].list()

    assert caught.value.operation == operation
    assert page["records"] == [{"id": 1, "name": "old"}]


async def test_a_write_in_a_workflow_is_refused(protected: DataFlow) -> None:
    workflow = protected.workflow()
    workflow.add_node("ItemCreateNode", "create", {"name": "new"})
    with anyio.fail_after(20):
        with pytest.raises(WorkflowError) as caught:
            await protected.run(workflow.build())
        count = await protected["Item"].count()

    assert isinstance(caught.value.__cause__, WriteBlockedError)
    assert count == 1


@pytest.mark.parametrize("names_the_database", [True, False])
async def test_raw_sql_is_refused_whoever_names_the_database(
    protected: DataFlow, database_url: str, *, names_the_database: bool
) -> None:
    parameters: dict[str, Any] = {"query": "DELETE FROM items"}
    if names_the_database:
        parameters["connection_string"] = database_url
    workflow = protected.workflow()
    workflow.add_node("AsyncSQLDatabaseNode", "wipe", parameters)
    with anyio.fail_after(20):
        with pytest.raises(WorkflowError) as caught:
            await protected.run(workflow.build())
        count = await protected["Item"].count()

    assert isinstance(caught.value.__cause__, WriteBlockedError)
    assert count == 1
