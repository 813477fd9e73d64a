"""A DataFlow on a new database, entered, and a way to ask one node of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from dataflow import DataFlow
from dataflow.errors import WorkflowError

Ask = Callable[..., Awaitable[Any]]
"""Runs a workflow of one node; gives its result, or raises its error."""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url, pool_size=4) as db:
        yield db
    db.close()


@pytest.fixture
def ask(db: DataFlow) -> Ask:
    async def ask(node: str, /, **parameters: object) -> Any:
        builder = db.workflow()
        builder.add_node(node, "it", parameters)
        workflow = builder.build()
        try:
            with anyio.fail_after(20):
                results, _ = await db.run(workflow)
        except WorkflowError as error:
            raise error.__cause__ or error from None
        return results["it"]

    return ask
