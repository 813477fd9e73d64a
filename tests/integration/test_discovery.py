"""Looking at a database, and making models of its tables."""

from __future__ import annotations

import logging
import re
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import anyio
import pytest

from dataflow import DataFlow, LocalRuntime, field
from dataflow.drivers import Driver
from dataflow.errors import (
    ClosedError,
    DriverError,
    FieldValueError,
    MissingFieldError,
    UnavailableNodeError,
    UnknownTableError,
    WorkflowBuildError,
)
from dataflow.schema import model_source, read_schema, shape_of
from dataflow.sql import Statement


async def run(db: DataFlow, *texts: str) -> None:
    """Run statements of others."""

    async def do(driver: Driver) -> None:
        async with driver.acquire() as connection:
            for text in texts:
                await connection.run([Statement(text)])

    await db._hosting.with_driver(do)  # beside the message path


SHOP = (
    """CREATE TABLE users (
      id {serial} PRIMARY KEY, name varchar(20) NOT NULL, email text UNIQUE NOT NULL
    )""",
    """CREATE TABLE orders (
      id {serial} PRIMARY KEY,
      user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
      state text DEFAULT 'new' NOT NULL,
      amount integer NOT NULL,
      twice integer GENERATED ALWAYS AS (amount * 2) STORED
    )""",
    "CREATE INDEX by_user ON orders (user_id)",
    "CREATE VIEW big_orders AS SELECT id, amount FROM orders WHERE amount > 10",
)


def shop(database_url: str) -> tuple[str, ...]:
    serial = "serial" if database_url.startswith("postgresql") else "INTEGER"
    return tuple(text.format(serial=serial) for text in SHOP)


async def test_what_is_there_is_told_in_dicts(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *shop(database_url))
        told = await db.discover_schema_async(use_real_inspection=True)

        assert await db.show_tables_async(use_real_inspection=True) == [
            "orders",
            "users",
        ]
        assert await db.show_tables_async(views=True) == [
            "big_orders",
            "orders",
            "users",
        ]
    is_sqlite = database_url.startswith("sqlite")
    using = "" if is_sqlite else "USING btree "
    orders, users = told["orders"], told["users"]
    assert told["big_orders"]["kind"] == "view"
    assert [each["name"] for each in orders["columns"]] == [
        "id",
        "user_id",
        "state",
        "amount",
        "twice",
    ]
    assert users["columns"][1]["max_length"] == 20
    assert users["columns"][1]["nullable"] is False
    assert users["columns"][0]["primary_key"] is True
    assert orders["columns"][4]["generated"] == "amount * 2"
    assert orders["foreign_keys"] == [
        {
            "column_name": "user_id",
            "foreign_table_name": "users",
            "foreign_column_name": "id",
            "constraint_name": None if is_sqlite else "orders_user_id_fkey",
            "on_delete": "CASCADE",
            "on_update": "NO ACTION",
        }
    ]
    assert orders["relationships"] == {
        "user": {
            "type": "belongs_to",
            "target_table": "users",
            "foreign_key": "user_id",
            "target_key": "id",
        }
    }
    assert users["relationships"]["orders"]["type"] == "has_many"
    assert orders["indexes"] == [
        {
            "name": "by_user",
            "unique": False,
            "columns": ["user_id"],
            "definition": f"CREATE INDEX by_user ON orders {using}(user_id)",
        }
    ]


async def test_relationships_of_one_name_are_told_apart(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE users (id integer, at integer, PRIMARY KEY (id, at))",
            """CREATE TABLE friends (
              id integer REFERENCES friends, user_a integer, user_b integer, at integer,
              size integer PRIMARY KEY,
              FOREIGN KEY (user_a, at) REFERENCES users (id, at),
              FOREIGN KEY (user_b, at) REFERENCES users (id, at)
            )""",
            "CREATE UNIQUE INDEX late ON friends (size DESC) WHERE size > 5",
        )
        told = await db.discover_schema_async()

    assert list(told["friends"]["relationships"]) == [
        "friend",
        "user_a",
        "user_b",
        "friends",
    ]
    assert list(told["users"]["relationships"]) == ["friends", "friends_by_user_b_at"]
    assert told["users"]["relationships"]["friends"]["foreign_key"] == ["user_a", "at"]
    definition = told["friends"]["indexes"][0]["definition"]
    assert definition.startswith("CREATE UNIQUE INDEX late ON friends ")
    assert "(size DESC) WHERE" in definition


async def test_the_definition_of_an_index_makes_it(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            'CREATE TABLE "Old Friends" (id integer PRIMARY KEY, "Größe" integer)',
            'CREATE INDEX "by ""size""" ON "Old Friends" ("Größe" DESC, abs(id))',
        )
        told = await db.discover_schema_async()
        (index,) = told["Old Friends"]["indexes"]
        await run(db, 'DROP INDEX "by ""size"""', index["definition"])

        assert await db.discover_schema_async() == told


async def test_what_models_ask_for_is_told_without_a_database() -> None:
    db = DataFlow("postgresql://nobody@127.0.0.1:1/nothing")

    @db.model
    class User:
        name: str

    assert db.show_tables(use_real_inspection=False) == ["users"]
    told = db.discover_schema(use_real_inspection=False)
    assert await db.show_tables_async(use_real_inspection=False) == ["users"]
    assert await db.discover_schema_async(use_real_inspection=False) == told
    assert [each["name"] for each in told["users"]["columns"]] == ["id", "name"]
    await db.aclose()


def test_plain_code_discovers_and_registers(database_url: str) -> None:
    """The specification calls these without await."""
    db = DataFlow(database_url, auto_migrate=False, existing_schema_mode=True)
    try:
        runtime = LocalRuntime()
        for text in shop(database_url):
            flow = db.workflow()
            flow.add_node(
                "AsyncSQLDatabaseNode", "it", {"query": text, "validate_queries": False}
            )
            runtime.execute(flow.build())
        schema = db.discover_schema(use_real_inspection=True)
        result = db.register_schema_as_models(tables=["users", "orders"])
        flow = db.workflow()
        name = result["generated_nodes"]["User"]["create"]
        flow.add_node(name, "create_user", {"name": "Ann", "email": "a@b"})
        results, _ = runtime.execute(flow.build())

        assert sorted(schema) == ["big_orders", "orders", "users"]
        assert db.show_tables() == ["orders", "users"]
        assert result["registered_models"] == ["User", "Order"]
        assert result["success_count"] == result["total_tables"] == 2
        assert result["errors"] == []
        assert results["create_user"] == {"id": 1, "name": "Ann", "email": "a@b"}
    finally:
        db.close()


async def test_inside_a_running_loop_the_plain_calls_work_too(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *shop(database_url))

        assert db.show_tables() == ["orders", "users"]
        assert db.register_schema_as_models(["users"])["registered_models"] == ["User"]
        assert await db["User"].count() == 0
        assert db.inspect_schema() == await db.inspect_schema_async()


async def test_a_closed_dataflow_discovers_nothing(database_url: str) -> None:
    db = DataFlow(database_url)
    await db.aclose()
    with pytest.raises(ClosedError):
        db.show_tables()
    with pytest.raises(ClosedError):
        await db.show_tables_async()


async def test_defaults_and_computed_columns_are_the_databases(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *shop(database_url))
        await db.register_schema_as_models_async()
        user = await db["User"].create(name="Ann", email="a@b")
        orders = db["Order"]
        one = await orders.create(user_id=user["id"], amount=5)
        two = await orders.create(user_id=user["id"], amount=50, state="old")
        bulk = await orders.bulk_create(
            [
                {"user_id": user["id"], "amount": 1},
                {"user_id": user["id"], "amount": 2, "state": "old"},
            ]
        )
        listed = (await orders.list())["records"]
        upserted = await orders.upsert(
            where={"id": 99}, create={"user_id": user["id"], "amount": 3}, update={}
        )

        assert (one["state"], two["state"]) == ("new", "old")
        assert bulk["inserted"] == 2
        assert [row["state"] for row in listed] == ["new", "old", "new", "old"]
        assert upserted["record"]["state"] == "new"
        with pytest.raises(FieldValueError, match="computes"):
            await orders.create(user_id=user["id"], amount=5, twice=1)
        with pytest.raises(FieldValueError, match="computes"):
            await orders.update(one["id"], twice=1)
        assert (await orders.list(filter={"twice": 100}))["count"] == 1
        assert (await orders.read(one["id"]))["twice"] == 10


async def test_a_view_is_only_read(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *shop(database_url))
        result = await db.register_schema_as_models_async()
        user = await db["User"].create(name="Ann", email="a@b")
        rows = [{"user_id": user["id"], "amount": n} for n in range(20)]
        await db["Order"].bulk_create(rows)
        page = await db["BigOrder"].list(filter={"amount": {"$gt": 15}})

        assert {"list", "count"} <= set(result["generated_nodes"]["BigOrder"])
        assert "create" not in result["generated_nodes"]["BigOrder"]
        assert (page["count"], page["next_cursor"]) == (4, None)
        assert await db["BigOrder"].count() == 9
        assert len([row async for row in db["BigOrder"].stream(page=2)]) == 9
        with pytest.raises(UnavailableNodeError, match="is a view") as caught:
            await db["BigOrder"].create(amount=1)
        assert caught.value.model == "BigOrder"
        assert caught.value.node == "BigOrderCreateNode"
        flow = db.workflow()
        flow.add_node("OrderListNode", "all", {})
        flow.add_node("BigOrderBulkDeleteNode", "gone", {"filter": {"amount": 1}})
        flow.add_connection("all", "records", "gone", "ids")
        with pytest.raises((UnavailableNodeError, WorkflowBuildError), match="view"):
            flow.build()


async def test_a_table_without_key_lists_counts_and_creates(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, "CREATE TABLE log (line text, level integer DEFAULT 0)")
        result = await db.register_schema_as_models_async(["log"])
        log = db["Log"]
        row = await log.create(line="a")
        assert row == {"line": "a", "level": 0}
        bulk = await log.bulk_create([{"line": "b", "level": 1}] * 30)
        page = await log.list(limit=5, order_by="-level")

        assert bulk["inserted"] == 30
        assert set(result["generated_nodes"]["Log"]) >= {
            "create",
            "bulk_create",
            "list",
            "count",
        }
        assert (page["count"], page["next_cursor"]) == (5, None)
        assert await log.count({"level": 1}) == 30
        assert len([row async for row in log.stream(page=7)]) == 31
        for call in (
            log.read(1),
            log.update(1, line="b"),
            log.delete(1),
            log.bulk_delete(filter={"level": 1}),
            log.bulk_update(filter={"level": 1}, update={"line": "x"}),
            log.bulk_upsert([{"line": "x"}]),
        ):
            with pytest.raises(UnavailableNodeError, match="no key that names one row"):
                await call
        with pytest.raises(FieldValueError, match="return_ids"):
            await log.bulk_create([{"line": "b"}], return_ids=True)
        with pytest.raises(FieldValueError, match="conflict_resolution"):
            await log.bulk_create([{"line": "b"}], conflict_resolution="skip")


async def test_a_unique_group_without_null_is_the_key_where_none_is_said(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE pairs (a integer NOT NULL, b integer NOT NULL, c text UNIQUE)",
            "CREATE UNIQUE INDEX a_b ON pairs (a, b)",
            """CREATE TABLE lines (
              "order" integer, number integer, note text,
              PRIMARY KEY ("order", number)
            )""",
        )
        await db.register_schema_as_models_async()
        await db["Pair"].create(a=1, b=2)
        await db["Line"].create(order=1, number=1, note="x")

        assert db["Pair"].model.key == ("a", "b")
        assert (await db["Pair"].read({"a": 1, "b": 2}))["found"]
        assert db["Line"].model.key == ("order", "number")
        assert (await db["Line"].update({"order": 1, "number": 1}, note="y"))["updated"]


async def test_a_key_that_the_database_makes_up_is_told(database_url: str) -> None:
    is_sqlite = database_url.startswith("sqlite")
    made = "(lower(hex(randomblob(8))))" if is_sqlite else "gen_random_uuid()"
    type_ = "text" if is_sqlite else "uuid"
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            f"CREATE TABLE things (id {type_} DEFAULT {made} NOT NULL PRIMARY KEY, "
            "size integer NOT NULL)",
        )
        await db.register_schema_as_models_async(["things"])
        things = db["Thing"]
        row = await things.create(size=1)
        rows = [{"size": n} for n in range(2, 202)]
        bulk = await things.bulk_create(rows, return_ids=True)
        async with anyio.create_task_group() as tasks:
            for n in range(300, 320):
                tasks.start_soon(partial(things.create, size=n))
        listed = [each["id"] async for each in things.stream(order_by="size")]

        assert listed[0] == row["id"]
        assert listed[1:201] == bulk["ids"]
        assert len(set(listed)) == len(listed) == 221


async def test_names_of_any_kind_are_columns_and_tables(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            """CREATE TABLE "Order Details" (
              "Order ID" integer PRIMARY KEY, "select" text, "it's ""x"" {0} %s" text,
              "class" text, "_hidden" text, "Größe" text, "2nd" text
            )""",
            'CREATE TABLE "user" (id integer PRIMARY KEY, "from" text)',
            'CREATE TABLE "class" (id integer PRIMARY KEY)',
            'CREATE TABLE "2024" (id integer PRIMARY KEY)',
        )
        result = await db.register_schema_as_models_async()
        values = {
            "select": "a",
            'it\'s "x" {0} %s': "b",
            "class": "c",
            "_hidden": "d",
            "Größe": "e",
            "2nd": "f",
        }
        details = db["OrderDetail"]
        await details.create(**{"Order ID": 1}, **values)
        rows = [{"Order ID": n, **values} for n in range(2, 40)]
        await details.bulk_create(rows)
        page = await details.list(filter={"select": "a", "_hidden": "d"}, limit=1)

        assert result["errors"] == []
        assert set(result["registered_models"]) == {
            "OrderDetail",
            "User",
            "Class",
            "Table2024",
        }
        assert page["records"] == [{"Order ID": 1, **values}]
        assert (await details.update(2, **{"2nd": "z"}))["2nd"] == "z"
        assert (await details.delete(3))["deleted"]
        await db["User"].create(id=1, **{"from": "x"})
        assert (await db["User"].read(1))["from"] == "x"


async def test_what_no_field_holds_is_left_out_and_said(postgres_url: str) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE things (id integer PRIMARY KEY, price money, flags bit(3))",
            "CREATE TABLE stays (id integer PRIMARY KEY, during tsrange NOT NULL)",
            "CREATE TABLE shapes (area polygon)",
            "INSERT INTO stays VALUES (1, '[2024-01-01, 2024-01-02)')",
        )
        result = await db.register_schema_as_models_async()
        await db["Thing"].create(id=1)

        assert result["left_out"] == {
            "Stay": {"during": "no field holds a tsrange"},
            "Thing": {
                "price": "no field holds a money",
                "flags": "no field holds a bit(3)",
            },
        }
        assert result["errors"] == ["shapes: no field can hold any of its columns"]
        assert result["error_count"] == 1
        assert (await db["Stay"].read(1))["id"] == 1
        with pytest.raises(UnavailableNodeError, match="must give during"):
            await db["Stay"].create(id=2)


async def test_an_unknown_table_is_named_with_the_nearest(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *shop(database_url))
        with pytest.raises(UnknownTableError, match="did you mean 'users'") as caught:
            await db.register_schema_as_models_async(["orders", "user"])

        assert caught.value.name == "user"
        assert db.list_models() == []


async def test_a_declared_model_is_not_replaced_a_discovered_one_is(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as db:

        @db.model
        class User:
            name: str

        await db.initialize()
        refused = await db.register_schema_as_models_async(["users"])
        assert refused["errors"] == [
            "users: a model User of the table users is declared already"
        ]
        assert db.get_model("User") is User
        await run(db, "CREATE TABLE notes (id integer PRIMARY KEY)")
        await db.register_schema_as_models_async(["notes"])
        await run(db, "ALTER TABLE notes ADD COLUMN line text")
        await db.register_schema_as_models_async(["notes"])
        await db["Note"].create(id=1, line="x")

        assert (await db["Note"].read(1))["line"] == "x"
        assert "dataflow_models" not in await db.show_tables_async()


async def test_a_required_time_of_creation_is_set(database_url: str) -> None:
    async with DataFlow(database_url) as first:

        @first.model
        class User:
            __dataflow__: ClassVar[dict[str, Any]] = {"timestamps": True}
            name: str

        await first.initialize()
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await db.register_schema_as_models_async(["users"])
        row = await db["User"].create(name="Ann")

        assert row["created_at"] is not None
        assert (await db["User"].update(row["id"], name="B"))["updated_at"] > row[
            "created_at"
        ]


async def test_a_table_that_is_gone_is_not_made_anew(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        await run(db, "CREATE TABLE notes (id integer PRIMARY KEY)")
        await db.register_schema_as_models_async(["notes"])
        await run(db, "DROP TABLE notes")
        with pytest.raises(DriverError):
            await db["Note"].create(id=1)

        assert await db.show_tables_async() == []


@pytest.mark.postgres
async def test_a_table_that_a_plain_name_does_not_find_is_said(
    postgres_url: str,
) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(db, "CREATE SCHEMA sales", "CREATE TABLE sales.orders (id integer)")
        assert await db.show_tables_async() == []
        assert await db.show_tables_async(schema="sales") == ["sales.orders"]
        assert list(await db.discover_schema_async(schema="sales")) == ["sales.orders"]
    mark = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{mark}search_path=sales"
    async with DataFlow(url, existing_schema_mode=True) as db:
        await db.register_schema_as_models_async(["orders"])
        await db["Order"].create(id=1)

        assert await db["Order"].count() == 1


# -- without a trace ----------------------------------------------------------------


SQLITE_STATE = (
    "SELECT group_concat(type || name || coalesce(sql, '')) FROM sqlite_master"
)
POSTGRES_STATE = (
    "SELECT string_agg(oid::text || relname || relnatts || relfilenode, ',' ORDER BY oid) "
    "FROM pg_class WHERE relnamespace = 'public'::regnamespace"
)


async def state(db: DataFlow, database_url: str) -> Any:
    text = SQLITE_STATE if database_url.startswith("sqlite") else POSTGRES_STATE

    async def do(driver: Driver) -> Any:
        async with driver.acquire(write=False) as connection:
            (result,) = await connection.run([Statement(text, returns_rows=True)])
            return result.rows[0][0]

    return await db._hosting.with_driver(do)  # beside the message path


async def test_an_existing_schema_is_never_changed(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataflow")
    async with DataFlow(database_url, auto_migrate=False) as maker:
        await run(maker, *shop(database_url))
        before = await state(maker, database_url)
        async with DataFlow(database_url, existing_schema_mode=True, echo=True) as db:

            @db.model
            class Stranger:
                name: str

            await db.initialize()
            await db.discover_schema_async()
            await db.register_schema_as_models_async()
            await db.reconstruct_models_from_registry_async()
            await db.registry.drift()
            await db.registry.entries()
            await db["User"].create(name="Ann", email="a@b")
            await db["User"].bulk_create([{"name": "B", "email": "b@b"}])
            await db["User"].list()
            with pytest.raises(DriverError):
                await db["Stranger"].create(name="x")

        assert await state(maker, database_url) == before
    ran = [each for each in caplog.messages if "statement_run" in each]
    assert [each for each in ran if "INSERT INTO" in each]
    assert not [each for each in ran if re.search(r"\b(CREATE|ALTER|DROP) ", each)]


# -- written out ----------------------------------------------------------------------


def imported(source: str, tmp_path: Path) -> ModuleType:
    """Import a module as its users do: from a file."""
    import importlib.util  # noqa: PLC0415  # for this alone

    path = tmp_path / "generated_models.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("generated_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generated_models"] = module
    spec.loader.exec_module(module)
    return module


async def test_a_module_of_models_has_the_shape_it_was_written_from(
    database_url: str, tmp_path: Path
) -> None:
    is_sqlite = database_url.startswith("sqlite")
    async with DataFlow(database_url) as first:

        @first.model
        class OrderItem:
            __dataflow__: ClassVar[dict[str, Any]] = {
                "primary_key": ["order", "Number"],
                "unique": [["name", "size"]],
                "indexes": [{"fields": ["name"], "name": "by name"}],
            }
            order: int
            Number: int
            name: str
            size: float | None = None
            tags: list[str]
            meta: dict[str, Any] | None = None

        @first.model
        class User:
            __dataflow__: ClassVar[dict[str, Any]] = {"timestamps": True}
            name: str

        await first.initialize()
        shape = await first.inspect_schema_async()
    module = imported(model_source(shape), tmp_path)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        module.register(db)
        models = [db[name].model for name in db.list_models()]
        dialect = "sqlite" if is_sqlite else "postgresql"
        await db["User"].create(name="Ann")
        assert db["User"].model.generated_key == "id"

        assert shape_of(models, db._database.url.dialect) == shape
        assert shape.dialect == dialect


OTHERS = {
    "postgresql": (
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        """CREATE TABLE kinds (
          code varchar(5) PRIMARY KEY, label char(3), shade text COLLATE "POSIX"
        )""",
        """CREATE TABLE things (
          id integer PRIMARY KEY, big bigint NOT NULL, small smallint, near real,
          name varchar(20) NOT NULL, note text, size numeric(8, 2), amount positive,
          at timestamp(3) DEFAULT now(), since timestamptz(0), tags varchar(9)[],
          doc json, feels mood, felt mood[], kind varchar(5) REFERENCES kinds DEFERRABLE,
          other varchar(5) DEFAULT 'a' REFERENCES kinds ON DELETE SET DEFAULT,
          UNIQUE (name, big)
        )""",
        "CREATE TABLE serials (id serial PRIMARY KEY, thing integer REFERENCES things)",
        "CREATE TABLE made (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
        "CREATE INDEX ON things (kind)",
        "CREATE INDEX ON serials (thing)",
    ),
    "sqlite": (
        "CREATE TABLE kinds (code VARCHAR(5) PRIMARY KEY, shade TEXT COLLATE NOCASE)",
        """CREATE TABLE things (
          id INT, big BIGINT NOT NULL, at DATETIME DEFAULT CURRENT_TIMESTAMP,
          name NVARCHAR(20) NOT NULL, size DECIMAL(8, 2), flag BOOL, raw BLOB,
          kind VARCHAR(5) REFERENCES Kinds (CODE) DEFERRABLE INITIALLY DEFERRED,
          other VARCHAR(5) DEFAULT 'a' REFERENCES kinds ON DELETE SET DEFAULT,
          PRIMARY KEY (id, big), UNIQUE (name, big)
        )""",
        """CREATE TABLE made (
          id INTEGER PRIMARY KEY, thing INTEGER, big BIGINT,
          FOREIGN KEY (thing, big) REFERENCES things (id, big)
        )""",
        "CREATE INDEX by_kind ON things (kind)",
        "CREATE INDEX by_thing ON made (thing, big)",
        "CREATE TABLE given (id INT PRIMARY KEY, name TEXT)",
    ),
}


async def test_a_module_asks_for_nothing_but_what_is_there(
    database_url: str, tmp_path: Path
) -> None:
    async with DataFlow(database_url) as db:
        await run(db, *OTHERS[database_url.partition(":")[0]])
        await run(
            db,
            "CREATE INDEX by_size ON things (size DESC)",
            "CREATE UNIQUE INDEX by_note ON things (lower(name)) WHERE size > 3",
            "CREATE INDEX things_big_idx ON things (big DESC)",
        )
        before = await db.inspect_schema_async()
        module = imported(model_source(before), tmp_path)
        module.register(db)
        plan = await db.migrations.plan()
        await db.auto_migrate(auto_confirm=True)
        module.register(db)  # now the ledger knows the names of its indexes
        again = await db.migrations.check()

        assert plan.problems == again.problems == ()
        assert [step.description for step in plan.steps + again.steps] == []
        assert await db.inspect_schema_async() == before


async def test_a_key_called_id_may_be_given(database_url: str) -> None:
    async with DataFlow(database_url) as db:

        @db.model
        class Flight:
            id: int = field(generated=False)

        with pytest.raises(MissingFieldError):
            await db[Flight].create()
        assert await db[Flight].create(id=7) == {"id": 7}
        await db.initialize()
    async with DataFlow(database_url) as other:
        await other.reconstruct_models_from_registry_async()
        with pytest.raises(MissingFieldError):
            await other["Flight"].create()
        assert await other["Flight"].create(id=8) == {"id": 8}


async def test_a_module_says_what_no_class_can_say(
    database_url: str, tmp_path: Path
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            *shop(database_url),
            """CREATE TABLE "bad "" names" (
              "a b" integer PRIMARY KEY, "class" numeric(10, 2) NOT NULL, "int" timestamp,
              "x" text DEFAULT 'y' NOT NULL, flag boolean, doc json
            )""",
            "CREATE TABLE log (line text)",
            'CREATE TABLE hidden (id integer PRIMARY KEY, "_x" text)',
            "CREATE TABLE later (number integer PRIMARY KEY, at timestamp NOT NULL)",
        )
        source = model_source(await db.inspect_schema_async())
        module = imported(source, tmp_path)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        module.register(db)
        names = {each.__name__ for each in module.MODELS}
        order = await _order(db)

        assert names == {"BadName", "Later", "Order", "User"}
        assert "# 'log' is left out: 'it has no key" in source
        assert "# 'big_orders' is left out: 'it is a view" in source
        assert "# 'hidden' is left out" in source
        assert order["state"] == "new"
        assert order["twice"] == 6
        row = await db["BadName"].create(**{"a b": 1, "class": 5, "doc": [1]})
        assert (row["x"], row["doc"]) == ("y", [1])
        with pytest.raises(MissingFieldError):
            await db["BadName"].create(**{"a b": 2})


async def _order(db: DataFlow) -> dict[str, Any]:
    user = await db["User"].create(name="Ann", email="a@b")
    return await db["Order"].create(user_id=user["id"], amount=3)


async def test_a_name_in_the_database_never_becomes_code(
    sqlite_url: str, tmp_path: Path
) -> None:
    evil = '"x"" \n raise SystemExit #"'
    async with DataFlow(sqlite_url, existing_schema_mode=True) as db:
        await run(
            db,
            f"CREATE TABLE {evil} (id INTEGER PRIMARY KEY, {evil} TEXT)",
            f"CREATE TABLE logs ({evil} TEXT)",
            f'CREATE VIEW {evil[:-1]}v" AS SELECT 1 AS {evil}',
        )
        shape = await db.inspect_schema_async()
    module = imported(model_source(shape), tmp_path)

    assert len(module.MODELS) == 1
    assert [*read_only(module.MODELS[0])] == ["id", 'x" \n raise SystemExit #']


def read_only(cls: type) -> dict[str, Any]:
    return dict(cls.__annotations__)


async def test_fifty_tables_are_read_in_one_go(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            *(
                f"CREATE TABLE t{n} (id integer PRIMARY KEY, a text UNIQUE, b integer)"
                for n in range(50)
            ),
        )

        async def do(driver: Driver) -> int:
            return len((await read_schema(driver)).tables)

        assert await db._hosting.with_driver(do) == 50
