"""`AsyncSQLDatabaseNode`: raw SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import pytest

from dataflow import PARAMETER, DataFlow, WorkflowBuilder
from dataflow.actors import Handler, Turn
from dataflow.errors import (
    ConstraintError,
    DriverError,
    DuplicateKeyError,
    EdgeError,
    FieldValueError,
    MissingFieldError,
    QueryError,
    UnknownFieldError,
    UrlError,
    WorkflowError,
    WriteBlockedError,
)
from dataflow.nodes import Engine, databases
from dataflow.protection import ReadOnly
from dataflow.workflow import run

Ask = Callable[..., Awaitable[Any]]

SQL = "AsyncSQLDatabaseNode"
ONE = "SELECT n FROM (SELECT 1 AS n) AS it"


@pytest.fixture
async def table(ask: Ask) -> None:
    text = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
    await ask(SQL, query=text, validate_queries=False)
    await ask(SQL, query="INSERT INTO things VALUES ($1, $2)", params=[1, "one"])


@pytest.mark.usefixtures("table")
async def test_rows_come_as_dicts(ask: Ask) -> None:
    result = await ask(SQL, query="SELECT name, id FROM things")
    nothing = await ask(SQL, query="SELECT * FROM things WHERE id = 9")

    assert result == {
        "data": [{"name": "one", "id": 1}],
        "row_count": 1,
        "columns": ["name", "id"],
    }
    assert nothing == {"data": [], "row_count": 0, "columns": ["id", "name"]}


async def test_rows_need_no_table(ask: Ask) -> None:
    assert (await ask(SQL, query="SELECT 1 AS n"))["data"] == [{"n": 1}]


@pytest.mark.usefixtures("table")
async def test_writes_are_counted(ask: Ask) -> None:
    await ask(SQL, query="INSERT INTO things VALUES (2, 'two')")
    changed = await ask(SQL, query="UPDATE things SET name = name || '!'")
    returned = await ask(
        SQL, query="DELETE FROM things WHERE id = $1 RETURNING name", parameters=(2,)
    )

    assert changed == {"data": [], "row_count": 2, "columns": []}
    assert returned == {
        "data": [{"name": "two!"}],
        "row_count": 1,
        "columns": ["name"],
    }


@pytest.mark.usefixtures("table")
async def test_a_placeholder_may_stand_twice_and_in_any_order(ask: Ask) -> None:
    query = "SELECT name FROM things WHERE id = $2 AND name <> $1 AND name <> '$1'"
    result = await ask(SQL, query=query, params=["two", 1])

    assert result["data"] == [{"name": "one"}]


@pytest.mark.usefixtures("table")
async def test_a_value_is_never_sql(ask: Ask) -> None:
    evil = "x'); DROP TABLE things; --"
    await ask(SQL, query="INSERT INTO things VALUES ($1, $2)", params=[2, evil])
    result = await ask(SQL, query="SELECT name FROM things ORDER BY id")

    assert [row["name"] for row in result["data"]] == ["one", evil]


async def test_values_are_stored_as_models_store_them(db: DataFlow, ask: Ask) -> None:
    @db.model
    class Event:
        at: datetime
        day: date
        number: UUID
        price: Decimal
        done: bool

    await db.initialize()
    row = {
        "at": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        "day": date(2024, 2, 29),
        "number": UUID(int=7),
        "price": Decimal("1.50"),
        "done": True,
    }
    query = (
        "INSERT INTO events (at, day, number, price, done) VALUES ($1, $2, $3, $4, $5)"
    )
    await ask(SQL, query=query, params=list(row.values()))

    assert await db[Event].read(1) == {"id": 1, **row, "found": True}


@pytest.mark.usefixtures("table")
async def test_a_statement_that_fails_changes_nothing(ask: Ask) -> None:
    query = "INSERT INTO things VALUES (2, 'two'), (3, 'one')"
    with pytest.raises(DuplicateKeyError) as error:
        await ask(SQL, query=query)
    with pytest.raises(ConstraintError) as missing:
        await ask(SQL, query="INSERT INTO things VALUES (2, NULL)")
    result = await ask(SQL, query="SELECT count(*) AS n FROM things")

    assert (error.value.table, error.value.fields) == ("things", ("name",))
    assert missing.value.kind == "not_null"
    assert result["data"] == [{"n": 1}]


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE things",
        "  drop table things",
        "/* x */ -- y\n ; DROP TABLE things",
        "TRUNCATE things",
        "PRAGMA user_version = 3",
        "BEGIN",
        "COMMIT",
        "DO $$ BEGIN DELETE FROM things; END $$",
    ],
)
@pytest.mark.usefixtures("table")
async def test_more_than_rows_is_changed_only_when_meant(query: str, ask: Ask) -> None:
    with pytest.raises(FieldValueError, match="unless validate_queries=False"):
        await ask(SQL, query=query)

    assert (await ask(SQL, query="SELECT * FROM things"))["row_count"] == 1


@pytest.mark.usefixtures("table")
async def test_a_query_that_arrives_is_looked_at_too(db: DataFlow) -> None:
    flow = db.workflow()
    flow.add_node(SQL, "sql", {"query": PARAMETER})
    workflow = flow.build()
    with pytest.raises(FieldValueError, match="begins with DROP"):
        await db.run(workflow, {"sql": {"query": "DROP TABLE things"}})
    results, _ = await db.run(workflow, {"sql": {"query": ONE}})

    assert results["sql"]["data"] == [{"n": 1}]

    async def make() -> dict[str, object]:
        return {"query": "DROP TABLE things", "empty": " ", "values": 3}

    for output, name in (("query", "query"), ("empty", "query"), ("values", "params")):
        flow = db.workflow()
        flow.add_node(make, "make")
        flow.add_node(SQL, "sql", {"query": ONE})
        flow.add_connection("make", output, "sql", name)
        with pytest.raises(WorkflowError) as error:
            await db.run(flow.build())
        assert isinstance(error.value.__cause__, FieldValueError)
        assert error.value.__cause__.field == name


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, MissingFieldError),
        ({"query": 3}, FieldValueError),
        ({"query": ""}, FieldValueError),
        ({"query": "SELECT 1", "params": "a"}, FieldValueError),
        ({"query": "SELECT $1", "params": [1], "parameters": [1]}, FieldValueError),
        ({"query": "SELECT 1", "validate_queries": 0}, FieldValueError),
        ({"query": "SELECT 1", "sql": "x"}, UnknownFieldError),
        ({"query": "SELECT 1", "connection_string": 3}, FieldValueError),
        ({"query": "SELECT 1", "connection_string": "mysql://h/d"}, UrlError),
        ({"query": "SELEC 1"}, QueryError),
        ({"query": "SELECT * FROM nowhere"}, QueryError),
        ({"query": "SELECT nothing FROM things"}, QueryError),
        ({"query": "SELECT 1; DELETE FROM things"}, QueryError),
        ({"query": "SELECT * FROM things WHERE id = $1"}, DriverError),
    ],
)
async def test_what_is_no_query_is_refused_and_the_next_one_works(
    given: dict[str, object], error: type[Exception], ask: Ask
) -> None:
    with pytest.raises(error):
        await ask(SQL, **given)

    assert (await ask(SQL, query="SELECT * FROM things"))["row_count"] == 1


async def test_statements_do_not_wait_for_each_other() -> None:
    begun: list[object] = []
    both = anyio.Event()

    async def meet(turn: Turn, call_next: Handler) -> None:
        begun.append(turn)
        if len(begun) == 2:
            both.set()
        await both.wait()
        await call_next(turn)

    async with DataFlow("sqlite:///:memory:", interceptors=[meet]) as other:
        flow = other.workflow()
        flow.add_node(SQL, "a", {"query": ONE})
        flow.add_node(SQL, "b", {"query": ONE})
        with anyio.fail_after(10):
            results, _ = await other.run(flow.build())

    assert [results[name]["data"][0]["n"] for name in "ab"] == [1, 1]


# -- which database --------------------------------------------------------------------


async def test_without_a_connection_string_it_must_be_known_where() -> None:
    flow = WorkflowBuilder()
    flow.add_node(SQL, "sql", {"query": "SELECT 1"})
    with pytest.raises(MissingFieldError) as error:
        flow.build()
    with pytest.raises(MissingFieldError):
        _ = databases.anywhere.database

    assert error.value.field == "connection_string"


async def test_where_it_runs_is_decided_when_it_is_added(
    db: DataFlow, database_url: str
) -> None:
    flow = db.workflow()
    flow.add_node(SQL, "sql", {"query": "SELECT 1", "connection_string": PARAMETER})
    with pytest.raises(FieldValueError, match="a URL when the node is added"):
        flow.build()

    flow = db.workflow()
    flow.add_node(SQL, "sql", {"query": ONE})
    workflow = flow.build()
    with pytest.raises(FieldValueError, match="with which the node was added"):
        await db.run(workflow, {"sql": {"connection_string": ":memory:"}})
    results, _ = await db.run(workflow, {"sql": {"connection_string": database_url}})
    assert results["sql"]["data"] == [{"n": 1}]


@pytest.mark.usefixtures("table")
async def test_the_url_of_an_open_dataflow_means_it(
    db: DataFlow, database_url: str
) -> None:
    flow = WorkflowBuilder()
    given = {"connection_string": database_url, "query": "SELECT name FROM things"}
    flow.add_node(SQL, "sql", given)
    results, _ = await db.run(flow.build())

    assert results["sql"]["data"] == [{"name": "one"}]
    assert databases.node(database_url, None) is db.nodes[SQL]


@pytest.mark.usefixtures("table")
async def test_every_spelling_of_its_url_goes_by_its_interceptors(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with DataFlow(database_url, interceptors=[ReadOnly()]) as db:
        for url in _spellings(database_url, tmp_path, monkeypatch):
            flow = WorkflowBuilder()
            given = {"connection_string": url, "query": "DELETE FROM things"}
            flow.add_node(SQL, "sql", given)
            with pytest.raises(WorkflowError) as error:
                await db.run(flow.build())
            assert isinstance(error.value.__cause__, WriteBlockedError)
        db.close()


def _spellings(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    if database_url.startswith("sqlite"):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link.db").symlink_to(tmp_path / "test.db")
        return [
            database_url,
            "sqlite:///test.db",
            f"sqlite:///{tmp_path}/../{tmp_path.name}/test.db",
            f"{database_url}?timeout=3",
            "link.db",
        ]
    parts = urlsplit(database_url)
    same = f"{database_url}{'&' if parts.query else '?'}application_name=other"
    return [database_url, database_url.replace("postgresql:", "postgres:", 1), same]


async def test_a_database_that_no_dataflow_has_opened_may_be_used(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'foreign.db'}"
    results: dict[str, Any] = {}
    async with Engine() as engine:
        for query in (
            "CREATE TABLE t (n INTEGER)",
            "INSERT INTO t VALUES (4)",
            "SELECT n FROM t",
        ):
            flow = WorkflowBuilder()
            given = {"connection_string": url, "validate_queries": False}
            flow.add_node(SQL, "sql", {**given, "query": query})
            results, _ = await run(engine, flow.build())

    assert results["sql"]["data"] == [{"n": 4}]
    assert databases.node(url, None) is databases.node(url, None)


async def test_what_it_takes_and_gives_is_told(db: DataFlow) -> None:
    node = db.nodes[SQL]

    assert "params" in node.inputs()
    assert node.accepts("connection_string") is None
    assert node.outputs() == ("data", "row_count", "columns")
    flow = db.workflow()
    flow.add_node(SQL, "first", {"query": ONE})
    flow.add_node(SQL, "second", {"query": "SELECT n FROM (SELECT 2 AS n) AS it"})
    flow.add_connection("first", "rows", "second", "params")
    with pytest.raises(EdgeError, match="has no 'rows': valid names are data"):
        flow.build()


async def test_a_bound_builder_may_name_another_database(
    db: DataFlow, tmp_path: Path
) -> None:
    flow = db.workflow()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    flow.add_node(
        SQL,
        "sql",
        {"connection_string": url, "query": "SELECT sqlite_version() AS version"},
    )
    results, _ = await db.run(flow.build())

    assert results["sql"]["row_count"] == 1
