"""What users of the system expect of databases: URLs, tables, raw SQL, life cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kailash.runtime.local import LocalRuntime
from kailash.workflow.builder import WorkflowBuilder

from dataflow import AsyncLocalRuntime, DataFlow
from dataflow.errors import ClosedError, DataFlowError, QueryError, WorkflowError

runtime = LocalRuntime()


def declare(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        email: str


def create(db: DataFlow) -> Any:
    workflow = db.workflow()
    workflow.add_node("UserCreateNode", "create", {"name": "A", "email": "a@x"})
    return runtime.execute(workflow.build())[0]["create"]


def tables(url: str) -> list[str]:
    """Return the names of the tables there are."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        if url.startswith("sqlite")
        else "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    workflow = WorkflowBuilder()
    parameters = {"connection_string": url, "query": query}
    workflow.add_node("AsyncSQLDatabaseNode", "look", parameters)
    results, _ = runtime.execute(workflow.build())
    return [row["name"] for row in results["look"]["data"]]


def test_without_a_url_the_environment_names_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    db = DataFlow()
    declare(db)
    created = create(db)
    db.close()

    assert created["id"] == 1
    assert tables(database_url) == ["users"]


def test_without_any_url_a_file_in_the_working_directory_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    db = DataFlow()
    declare(db)
    create(db)
    db.close()

    assert (tmp_path / "dataflow.db").exists()


@pytest.mark.parametrize(("auto_migrate", "existing"), [(False, False), (True, True)])
def test_an_existing_schema_is_never_changed(
    database_url: str,
    auto_migrate: bool,  # noqa: FBT001  a parameter of the test
    existing: bool,  # noqa: FBT001
) -> None:
    db = DataFlow(
        database_url, auto_migrate=auto_migrate, existing_schema_mode=existing
    )
    declare(db)
    with pytest.raises(WorkflowError) as caught:
        create(db)
    db.close()

    assert isinstance(caught.value.__cause__, QueryError)
    assert tables(database_url) == []


def test_a_table_made_by_hand_is_used(database_url: str) -> None:
    serial = "INTEGER PRIMARY KEY" if "sqlite" in database_url else "SERIAL PRIMARY KEY"
    setup = WorkflowBuilder()
    setup.add_node(
        "AsyncSQLDatabaseNode",
        "create_table",
        {
            "connection_string": database_url,
            "query": f"""
                CREATE TABLE IF NOT EXISTS users (
                    id {serial},
                    name VARCHAR(255) NOT NULL,
                    email VARCHAR(255) UNIQUE,
                    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
                )
            """,
            "validate_queries": False,
        },
    )
    runtime.execute(setup.build())
    db = DataFlow(database_url, auto_migrate=False, existing_schema_mode=True)
    declare(db)
    created = create(db)
    db.close()

    assert created == {"id": 1, "name": "A", "email": "a@x"}


def test_the_parameters_of_the_constructor_are_accepted(database_url: str) -> None:
    db = DataFlow(
        database_url=database_url,
        auto_migrate=True,
        existing_schema_mode=False,
        enable_model_persistence=True,
        pool_size=20,
        echo=False,
        tdd_mode=False,
    )
    db.close()


def test_what_is_not_there_yet_is_refused_not_ignored(database_url: str) -> None:
    with pytest.raises(DataFlowError, match="tdd_mode"):
        DataFlow(database_url, tdd_mode=True)


def test_rows_of_tenants_are_kept_apart(database_url: str) -> None:
    db = DataFlow(database_url)

    @db.model
    class TenantData:
        name: str

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    workflow = WorkflowBuilder()
    given = {"name": "data", "tenant_id": "tenant_123"}
    workflow.add_node("TenantDataCreateNode", "create", given)
    results, _ = LocalRuntime().execute(workflow.build())
    look = WorkflowBuilder()
    look.add_node("TenantDataListNode", "mine", {"tenant_id": "tenant_123"})
    look.add_node("TenantDataCountNode", "count", {})
    mine, _ = LocalRuntime().execute(look.build(), tenant="tenant_123")

    assert results["create"]["tenant_id"] == "tenant_123"
    assert mine["mine"]["count"] == mine["count"]["count"] == 1
    db.close()


async def test_initialize_connects_and_creates_the_tables(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)

    assert await db.initialize() is True
    await db.aclose()


async def test_asynchronous_code_runs_the_same_workflows(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)
    workflow = WorkflowBuilder()
    workflow.add_node("UserCreateNode", "create", {"name": "A", "email": "a@x"})
    results, _ = await AsyncLocalRuntime().execute_workflow_async(workflow.build())
    async with db:
        again, _ = await db.run(workflow.build())
    await db.aclose()

    assert (results["create"]["id"], again["create"]["id"]) == (1, 2)


async def test_synchronous_code_runs_inside_a_running_loop(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)
    created = create(db)
    listed = await db["User"].list()
    await db.aclose()

    assert listed["records"] == [created]


def test_after_close_everything_says_so(database_url: str) -> None:
    db = DataFlow(database_url)
    declare(db)
    create(db)
    workflow = db.workflow()
    workflow.add_node("UserListNode", "list")
    built = workflow.build()
    db.close()

    with pytest.raises((ClosedError, WorkflowError)) as caught:
        runtime.execute(built)
    assert isinstance(caught.value.__cause__ or caught.value, ClosedError)
    with pytest.raises(ClosedError):
        declare(db)


def test_models_of_the_same_name_do_not_mix(database_url: str, tmp_path: Path) -> None:
    one, two = DataFlow(database_url), DataFlow(f"sqlite:///{tmp_path / 'other.db'}")
    declare(one)
    declare(two)
    workflow = WorkflowBuilder()
    workflow.add_node("UserCreateNode", "create", {"name": "A", "email": "a@x"})
    runtime.execute(workflow.build())
    bound = one.workflow()
    bound.add_node("UserCountNode", "count")
    counted, _ = runtime.execute(bound.build())
    two.close()
    later = WorkflowBuilder()
    later.add_node("UserCreateNode", "create", {"name": "B", "email": "b@x"})
    runtime.execute(later.build())
    counted_later, _ = runtime.execute(bound.build())
    one.close()

    assert counted["count"] == {"count": 0}
    assert counted_later["count"] == {"count": 1}
