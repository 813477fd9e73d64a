"""A shop on a new database, protected as a test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import WorkflowError

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]


def declare(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        status: str = "open"
        price: int = 0
        sku: str | None = field(default=None, immutable=True)
        code: str | None = field(default=None, write_once=True)
        mail: str | None = field(default=None, pii="email")

    @db.model
    class Part:
        __dataflow__: ClassVar = {"primary_key": ("a", "b")}

        a: int
        b: str
        n: int = 0


@pytest.fixture
def opened(database_url: str) -> Open:
    """Give what opens the shop under some protection, with three items in it."""

    @asynccontextmanager
    async def opened(protection: Any = None, **more: Any) -> AsyncGenerator[DataFlow]:
        plain = DataFlow(database_url)
        declare(plain)
        async with plain:
            if not await plain["Item"].count():
                await plain["Item"].bulk_create(
                    [
                        {"name": "a", "sku": "s-a", "mail": "ada@example.org"},
                        {"name": "b", "status": "closed", "price": 5},
                        {"name": "c", "code": "c-1", "price": 9},
                    ]
                )
                await plain["Part"].bulk_create(
                    [{"a": n, "b": f"b{n}", "n": n} for n in range(4)]
                )
        plain.close()
        db = DataFlow(database_url, protection=protection, **more)
        declare(db)
        with anyio.fail_after(60):
            async with db:
                yield db
        db.close()

    return opened


Raw = Callable[..., Awaitable[Any]]


@pytest.fixture
def raw() -> Raw:
    """Give what runs raw SQL by a workflow of a database."""

    async def raw(db: DataFlow, query: str, **parameters: Any) -> Any:
        workflow = db.workflow()
        given = {"query": query, "validate_queries": False, **parameters}
        workflow.add_node("AsyncSQLDatabaseNode", "it", given)
        try:
            results, _ = await db.run(workflow.build())
        except WorkflowError as error:
            raise error.__cause__ or error from None
        return results["it"]

    return raw
