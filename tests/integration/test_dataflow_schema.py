"""When the schema is touched, and that otherwise it never is."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from dataflow import DataFlow
from dataflow.errors import DatabaseUnreachableError, QueryError

CATALOGUES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT relname AS name FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace",
}


def declare(db: DataFlow) -> type:
    @db.model
    class User:
        name: str

    return User


async def relations(database_url: str) -> list[str]:
    async with DataFlow(database_url, auto_migrate=False) as db:
        flow = db.workflow()
        query = CATALOGUES[database_url.partition(":")[0]]
        flow.add_node("AsyncSQLDatabaseNode", "it", {"query": query})
        results, _ = await db.run(flow.build())
    return [row["name"] for row in results["it"]["data"]]


@pytest.mark.parametrize(
    "given",
    [
        {"auto_migrate": False},
        {"existing_schema_mode": True},
        {"existing_schema_mode": True, "auto_migrate": True},
    ],
)
async def test_a_table_that_is_missing_is_not_made(
    given: dict[str, Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")
    async with DataFlow(database_url, echo=True, **given) as db:
        user = declare(db)
        assert await db.initialize()
        for _ in range(2):
            with pytest.raises(QueryError) as error:
                await db[user].create(name="a")
            assert error.value.code in {"42P01", "SQLITE_ERROR"}

    statements = [r.getMessage() for r in caplog.records if "statement_run" in r.msg]
    assert not [each for each in statements if "INSERT" not in each]
    assert await relations(database_url) == []


@pytest.mark.parametrize(
    "given", [{"auto_migrate": False}, {"existing_schema_mode": True}]
)
async def test_a_table_that_is_there_is_used_as_it_is(
    given: dict[str, Any], database_url: str
) -> None:
    async with DataFlow(database_url) as first:
        await first[declare(first)].create(name="a")
    before = await relations(database_url)
    async with DataFlow(database_url, **given) as db:
        user = declare(db)
        created = await db[user].create(name="b")

    assert created == {"id": 2, "name": "b"}
    assert await relations(database_url) == before


@pytest.mark.parametrize("is_kept", [True, False])
async def test_nothing_but_the_models_tables_and_the_registry_is_made(
    database_url: str,
    is_kept: bool,  # noqa: FBT001  # a parameter
) -> None:
    async with DataFlow(database_url, enable_model_persistence=is_kept) as db:
        declare(db)
        assert await db.initialize()
        assert await db.initialize()

    names = await relations(database_url)
    own = {name for name in names if not name.startswith("users")}
    kept = {name for name in own if name.startswith("dataflow_models")}
    assert own == kept
    assert bool(kept) == is_kept


async def test_the_table_is_made_once_whoever_comes_first(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        user = declare(db)
        rows = db[user]
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(lambda: rows.create(name="a"))
                    tasks.start_soon(lambda: rows.bulk_create([{"name": "b"}]))
                    tasks.start_soon(rows.count)
                    tasks.start_soon(db.initialize)

        assert await rows.count() == 10


async def test_a_first_use_that_failed_is_tried_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("later") / "missing"
    async with DataFlow(f"sqlite:///{folder / 'test.db'}") as db:
        user = declare(db)
        with pytest.raises(DatabaseUnreachableError, match="make it first"):
            await db[user].create(name="a")
        with pytest.raises(DatabaseUnreachableError):
            await db.initialize()
        await anyio.Path(folder).mkdir()

        assert await db[user].create(name="a") == {"id": 1, "name": "a"}
