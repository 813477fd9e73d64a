"""Raw SQL is judged by what it does, and run so that the database holds the line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.drivers import Bridge, connect, parse_url
from dataflow.errors import BlockedError, DriverError, FieldValueError, WorkflowError
from dataflow.protection import Policy, allow, deny, require_approval, warn
from dataflow.sql import Statement

Open = Callable[..., AbstractAsyncContextManager[DataFlow]]
Raw = Callable[..., Awaitable[Any]]

KEPT = deny("delete", models="Item", id="kept")


async def refused(call: Awaitable[Any]) -> str | None:
    try:
        await call
    except BlockedError as error:
        return error.rule
    return None


async def by_hand(url: str, bridge: Bridge, *texts: str) -> None:
    driver = connect(parse_url(url), bridge)
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run((Statement(text),))
    await driver.aclose()


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("SELECT name FROM items", None),
        ("SELECT count(*) AS n FROM items", None),
        ("SELECT * FROM items", "mask:Item.mail"),
        ("SELECT mail FROM items", "mask:Item.mail"),
        ("SELECT items FROM items", "mask:Item.mail"),
        ("SELECT 1 AS n FROM items WHERE mail = 'x'", "mask:Item.mail"),
        ("SELECT a FROM parts", None),
        ("DELETE FROM parts", None),
        ("DELETE FROM items", "kept"),
        ('DELETE FROM "items" WHERE id = 1', "kept"),
        ("WITH x AS (SELECT 1) DELETE FROM items", "kept"),
        ("UPDATE items SET name = 'x'", None),
        ("UPDATE items SET sku = 'x'", "immutable:Item.sku"),
        ("INSERT INTO items (name) VALUES ('x')", None),
        ("TRUNCATE items", "kept"),
        ("COMMIT", "kept"),
        ("SELECT frob(1)", "kept"),
        ("SELECT 1; DELETE FROM items", "kept"),
    ],
)
async def test_a_statement_is_judged_by_what_it_does(
    opened: Open, raw: Raw, query: str, rule: str | None
) -> None:
    async with opened(KEPT) as db:
        try:
            found = await refused(raw(db, query))
        except DriverError:  # it passed, and the database knows a part of it better
            found = None
        count = await db["Item"].count()

    assert found == rule
    assert count >= 3


async def test_a_rule_about_rows_counts_as_one_that_holds(
    opened: Open, raw: Raw
) -> None:
    rules = [
        deny("update", models="Item", when={"old.status": "closed"}, id="closed"),
        deny("read", models="Part", when={"old.n": 1}, id="hidden"),
        require_approval("delete", models="Part", id="two"),
        warn("create", models="Part", id="noted"),
    ]
    async with opened(rules) as db:
        found = [
            await refused(raw(db, query))
            for query in (
                "UPDATE items SET name = 'x' WHERE status = 'open'",
                "SELECT a FROM parts",
                "DELETE FROM parts",
                "SELECT name FROM items",
            )
        ]

    assert found == ["closed", "hidden", "hidden", None]


async def test_raw_sql_may_be_approved(opened: Open, raw: Raw) -> None:
    async def approve(_: object) -> bool:
        return True

    rule = require_approval("delete", models="Part", id="two")
    async with opened(rule, approve=approve) as db:
        done = await raw(db, "DELETE FROM parts WHERE n = 1")
    async with opened(rule) as db:
        found = await refused(raw(db, "DELETE FROM parts WHERE n = 2"))

    assert done["row_count"] == 1
    assert found == "two"


async def test_rows_written_by_raw_sql_are_counted(opened: Open, raw: Raw) -> None:
    rules = [
        deny("write", models="Part", max_rows=2, id="few"),
        deny("write", models="Part", max_rows_per_run=2, id="few-a-run"),
    ]
    async with opened(rules) as db:
        found = [
            await refused(raw(db, "UPDATE parts SET n = 0")),
            await refused(raw(db, "UPDATE parts SET n = 0 WHERE n < 2")),
            await refused(raw(db, "DROP TABLE parts")),
            await refused(raw(db, "WITH x AS (SELECT 1) UPDATE parts SET n = 9")),
        ]
        page = await db["Part"].list()

    assert found == ["few", None, "a statement that is not understood", "few"]
    assert sorted(row["n"] for row in page["records"]) == [0, 0, 2, 3]


async def test_under_a_default_that_denies_only_what_is_allowed_passes(
    opened: Open, raw: Raw
) -> None:
    policy = Policy.production(
        allow("delete", models="Part"),
        allow("update", models="Item", fields="name"),
        allow("update", models="Part", when={"old.n": 1}),
    )
    async with opened(policy) as db:
        found = [
            await refused(raw(db, query))
            for query in (
                "DELETE FROM parts WHERE n = 1",
                "DELETE FROM items",
                "UPDATE items SET name = 'x'",
                "UPDATE items SET name = 'x', price = 1",
                "UPDATE parts SET n = 2",
                "SELECT a FROM parts",
                "SELECT 1 AS n",
            )
        ]

    assert found == [None, "default", None, "default", "default", None, None]


async def test_a_view_is_no_way_around(
    opened: Open, raw: Raw, bridge: Bridge, database_url: str
) -> None:
    async with opened(KEPT) as db:
        await by_hand(
            database_url,
            bridge,
            "CREATE VIEW shown AS SELECT * FROM items",
            "CREATE TABLE legacy (a int)",
            "INSERT INTO legacy VALUES (1)",
        )
        view = await refused(raw(db, "SELECT name FROM shown"))
        deleted = await refused(raw(db, "DELETE FROM shown"))
        table = await raw(db, "SELECT a FROM legacy")
        gone = await raw(db, "DELETE FROM legacy")
        with pytest.raises(DriverError):
            await raw(db, "SELECT a FROM nothing")

    assert view == "a statement that is not understood"
    assert deleted is not None
    assert table["data"] == [{"a": 1}]
    assert gone["row_count"] == 1


@pytest.mark.postgres
async def test_a_partition_is_no_way_around(
    opened: Open, raw: Raw, bridge: Bridge, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue("database_url")
    if "sqlite" in url:
        return
    async with opened(KEPT) as db:
        await by_hand(url, bridge, "CREATE TABLE heir () INHERITS (items)")

        assert await refused(raw(db, "DELETE FROM heir")) is not None


async def test_what_only_reads_cannot_write_whatever_it_calls(
    opened: Open, raw: Raw, bridge: Bridge, database_url: str
) -> None:
    """A function with a harmless name that writes: the database refuses."""
    if "sqlite" in database_url:
        return
    async with opened(KEPT) as db:
        await by_hand(
            database_url,
            bridge,
            """
            CREATE FUNCTION similarity(text) RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN DELETE FROM items; RETURN 1; END $$
            """,
        )
        with pytest.raises(DriverError, match="read-only"):
            await raw(db, "SELECT similarity('x')")

        assert await db["Item"].count() == 3


async def test_a_workflow_older_than_the_dataflow_is_judged_by_it(
    database_url: str, bridge: Bridge
) -> None:
    await by_hand(database_url, bridge, "CREATE TABLE items (id int, name text)")
    builder = WorkflowBuilder()
    parameters = {
        "connection_string": database_url,
        "query": "INSERT INTO items VALUES (1, 'x')",
    }
    builder.add_node("AsyncSQLDatabaseNode", "it", parameters)
    older = builder.build()
    runtime = AsyncLocalRuntime()
    outcomes: list[str] = []

    async def run() -> None:
        try:
            await runtime.execute(older)
        except WorkflowError as error:
            outcomes.append(type(error.__cause__).__name__)
        else:
            outcomes.append("done")

    with anyio.fail_after(30):
        await run()
        db = DataFlow(database_url, protection="read_only")
        await run()
        async with db:
            await run()
        await db.aclose()
        await run()

    assert outcomes == ["done", "WriteBlockedError", "WriteBlockedError", "done"]


async def test_what_is_no_text_is_the_node_s_to_refuse(opened: Open) -> None:
    async with opened(KEPT) as db:
        workflow = db.workflow()

        async def number() -> dict[str, Any]:
            return {"query": 3}

        workflow.add_node(number, "number", {})
        workflow.add_node("AsyncSQLDatabaseNode", "it", {})
        workflow.add_connection("number", "query", "it", "query")
        with pytest.raises(WorkflowError) as caught:
            await db.run(workflow.build())

    assert isinstance(caught.value.__cause__, FieldValueError)


@pytest.mark.postgres
async def test_postgresql_holds_the_rights_that_are_generated(
    postgres_url: str, bridge: Bridge
) -> None:
    rules = [
        deny("delete", models="Item"),
        deny("update", models="Item", fields="price"),
        deny("create", models="Part"),
        deny("read", models="Item", when={"old.name": "it's \\ hidden"}),
        deny("read", models="Part", when={"old.n": {"$in": [1, 2]}}),
        deny("write", when={"principal": "bob"}),
    ]
    db = DataFlow(postgres_url, protection=rules)

    @db.model
    class Item:
        name: str
        price: int = 0

    @db.model
    class Part:
        n: int

    with anyio.fail_after(60):
        async with db:
            await db.initialize()
            await db["Item"].bulk_create([{"name": "a"}, {"name": "it's \\ hidden"}])
            statements = db.protection.sql('the "app"')
            role = '"the ""app"""'
            await by_hand(postgres_url, bridge, f"CREATE ROLE {role}", *statements)
            seen = await as_role(postgres_url, bridge, role)
            await by_hand(
                postgres_url, bridge, f"DROP OWNED BY {role}", f"DROP ROLE {role}"
            )
    db.close()

    assert seen == {
        "SELECT name FROM items": [("a",)],
        "UPDATE items SET name = 'b' RETURNING name": [("b",)],
        "UPDATE items SET price = 1": "42501",
        "DELETE FROM items": "42501",
        "INSERT INTO parts (n) VALUES (1)": "42501",
        "SELECT n FROM parts": [],
    }


async def as_role(url: str, bridge: Bridge, role: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    driver = connect(parse_url(url), bridge)
    async with driver.acquire() as connection:
        for text in (
            "SELECT name FROM items",
            "UPDATE items SET name = 'b' RETURNING name",
            "UPDATE items SET price = 1",
            "DELETE FROM items",
            "INSERT INTO parts (n) VALUES (1)",
            "SELECT n FROM parts",
        ):
            try:
                async with connection.transaction():
                    await connection.run((Statement(f"SET LOCAL ROLE {role}"),))
                    statement = Statement(text, returns_rows=True)
                    (result,) = await connection.run((statement,))
                    seen[text] = [tuple(row) for row in result.rows]
            except DriverError as error:
                seen[text] = error.code
    await driver.aclose()
    return seen
