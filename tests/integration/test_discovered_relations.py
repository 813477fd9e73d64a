"""Foreign keys that are found in a database are relations of discovered models."""

from __future__ import annotations

import importlib.util
import sys
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Driver
from dataflow.errors import ForeignKeyError
from dataflow.models import Action, Model
from dataflow.schema import model_source
from dataflow.sql import Statement

SHOP = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL UNIQUE)",
    """CREATE TABLE orders (
      id integer PRIMARY KEY,
      buyer_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
      seller_name text REFERENCES users (name) ON UPDATE CASCADE,
      origin integer REFERENCES orders (id) ON DELETE SET NULL
    )""",
    """CREATE TABLE lines (
      order_id integer NOT NULL REFERENCES orders (id) ON DELETE RESTRICT,
      number integer NOT NULL,
      PRIMARY KEY (order_id, number)
    )""",
    """CREATE TABLE returns (
      id integer PRIMARY KEY,
      order_id integer, number integer,
      UNIQUE (order_id, number),
      FOREIGN KEY (order_id, number) REFERENCES lines (order_id, number)
    )""",
)
ROWS = (
    "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
    """INSERT INTO orders VALUES (1, 1, 'bob', NULL), (2, 1, 'bob', 1),
      (3, 2, NULL, NULL)""",
    "INSERT INTO lines VALUES (1, 1), (1, 2), (3, 1)",
    "INSERT INTO returns VALUES (1, 1, 2), (2, NULL, 7)",
)


numbers = count()


async def run(db: DataFlow, *texts: str) -> None:
    """Run statements of others."""

    async def do(driver: Driver) -> None:
        async with driver.acquire() as connection:
            for text in texts:
                await connection.run([Statement(text)])

    await db._hosting.with_driver(do)  # beside the message path


def imported(source: str, folder: Path) -> ModuleType:
    """Import a module of models."""
    name = f"generated_{next(numbers)}"
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def relations(model: Model) -> dict[str, tuple[str, bool]]:
    """Return what a model is related to: the model, and whether to many."""
    found = model.relations.items()
    return {name: (each.target.name, each.is_many) for name, each in found}


EXPECTED = {
    "User": {
        "orders": ("Order", True),
        "orders_by_seller_name": ("Order", True),
    },
    "Order": {
        "buyer": ("User", False),
        "seller": ("User", False),
        "order": ("Order", False),
        "orders": ("Order", True),
        "lines": ("Line", True),
    },
    "Line": {"order": ("Order", False), "return": ("Return", False)},
    "Return": {"line": ("Line", False)},
}


async def check_rows(db: DataFlow) -> None:
    """See that filters, include and refusals go by what was found."""
    page = await db["Order"].list(
        filter={"buyer.name": "ann", "lines": {"$some": {"number": 2}}},
        include=["buyer", "lines.return", "seller"],
    )
    (order,) = page["records"]
    assert order["buyer"]["name"] == "ann"
    assert order["seller"]["id"] == 2
    assert [line["return"] is None for line in order["lines"]] == [True, False]
    children = await db["Order"].list(filter={"order": {"buyer_id": 1}})
    assert [each["id"] for each in children["records"]] == [2]
    assert await db["Return"].count({"line": None}) == 1
    with pytest.raises(ForeignKeyError) as error:
        await db["Order"].delete(3)
    assert (error.value.table, error.value.fields) == ("lines", ("order_id",))


async def test_foreign_keys_become_relations(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP, *ROWS)
        result = await db.register_schema_as_models_async()

        assert result["left_out"] == {}
        models = {name: db[name].model for name in result["registered_models"]}
        assert {name: relations(each) for name, each in models.items()} == EXPECTED
        keys = {each.fields: each for each in models["Order"].foreign_keys}
        assert keys["buyer_id",].on_delete is Action.CASCADE
        assert keys["seller_name",].on_update is Action.CASCADE
        assert keys["seller_name",].to == ("name",)
        assert keys["origin",].on_delete is Action.SET_NULL
        await check_rows(db)


async def test_a_module_of_models_has_the_relations(
    database_url: str, tmp_path: Path
) -> None:
    async with DataFlow(database_url) as db:
        await run(db, *SHOP, *ROWS)
        module = imported(model_source(await db.inspect_schema_async()), tmp_path)
        module.register(db)

        models = {each.__name__: db[each].model for each in module.MODELS}
        assert {name: relations(each) for name, each in models.items()} == EXPECTED
        await check_rows(db)
        possible, plans = await db.auto_migrate(dry_run=True)
        steps = [step.operation for plan in plans for step in plan.steps]
        assert possible
        # A model asks for an index for each foreign key; nothing else is to be done.
        assert {each.removesuffix("_concurrently") for each in steps} == {
            "create_index"
        }
        await db.auto_migrate(auto_confirm=True)
        assert await db.auto_migrate(dry_run=True) == (True, [])


async def test_a_table_that_is_registered_later_is_related_then(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP, *ROWS)
        first = await db.register_schema_as_models_async(["orders", "lines"])
        assert first["left_out"] == {
            "Order": {
                "buyer_id -> users (id)": "users has no model: register both tables "
                "together",
                "seller_name -> users (name)": "users has no model: register both "
                "tables together",
            }
        }
        second = await db.register_schema_as_models_async(["users"])
        assert second["registered_models"] == ["User"]
        await db.register_schema_as_models_async(["returns"])

        names = ["User", "Order", "Line", "Return"]
        assert {name: relations(db[name].model) for name in names} == EXPECTED
        await check_rows(db)


async def test_a_module_says_which_tables_it_was_not_given(
    database_url: str, tmp_path: Path
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP)
        source = model_source(await db.inspect_schema_async(), ["lines", "returns"])
        module = imported(source, tmp_path)
        module.register(db)

        assert "# 'lines'.'order_id -> orders (id)' is left out: 'orders has" in source
        assert relations(db["Line"].model) == {"return": ("Return", False)}


async def test_a_declared_model_is_referred_to(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP, *ROWS)

        @db.model
        class Person:
            name: str
            orders: int | None = None
            __dataflow__ = {"table_name": "users", "unique": [["name"]]}  # noqa: RUF012

        result = await db.register_schema_as_models_async(["orders"])

        assert result["left_out"] == {}
        assert relations(db[Person].model) == {
            "orders_by_buyer_id": ("Order", True),
            "orders_by_seller_name": ("Order", True),
        }
        page = await db["Order"].list(filter={"buyer.name": "bob"})
        assert [each["id"] for each in page["records"]] == [3]


async def test_tables_that_were_changed_meanwhile_are_related_anew(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP)
        await db.register_schema_as_models_async(["users", "orders"])
        await run(
            db,
            *(f"DROP TABLE {name}" for name in ("returns", "lines", "orders", "users")),
            "CREATE TABLE users (code text PRIMARY KEY NOT NULL)",
            "CREATE TABLE orders (id integer PRIMARY KEY, "
            "user_code text REFERENCES users)",
        )
        result = await db.register_schema_as_models_async()

        assert result["errors"] == []
        assert result["left_out"] == {}
        assert relations(db["Order"].model) == {"user": ("User", False)}


async def test_what_no_model_can_say_is_left_out_and_said(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE users (id integer PRIMARY KEY, at integer UNIQUE)",
            "CREATE TABLE people (id integer PRIMARY KEY)",
            """CREATE TABLE visits (
              id integer PRIMARY KEY,
              a_id integer DEFAULT 1 REFERENCES users (id) ON DELETE SET DEFAULT,
              b_id integer NOT NULL REFERENCES users (id) ON UPDATE SET NULL,
              c_id integer REFERENCES users (at) REFERENCES people (id)
            )""",
        )
        result = await db.register_schema_as_models_async()

        said = result["left_out"]["Visit"]
        assert "SET DEFAULT" in said["a_id -> users (id)"]
        assert "b_id to NULL" in said["b_id -> users (id)"]
        assert len(said) == 3
        assert len(relations(db["Visit"].model)) == 1


async def test_types_that_are_not_stored_alike_are_not_related(sqlite_url: str) -> None:
    async with DataFlow(sqlite_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE Users (Id INTEGER PRIMARY KEY, blob, tag REFERENCES Users)",
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id TEXT REFERENCES users, "
            "other INTEGER REFERENCES USERS (ID))",
        )
        result = await db.register_schema_as_models_async()

        said = result["left_out"]
        assert "it is str, and User.Id is int" in said["Note"]["user_id -> Users (Id)"]
        assert said["User"]["tag -> Users (Id)"] == "tag is left out"
        assert relations(db["Note"].model) == {"user": ("User", False)}


async def test_a_schema_that_plain_names_do_not_find_is_told(postgres_url: str) -> None:
    async with DataFlow(postgres_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE SCHEMA other",
            "CREATE TABLE other.users (id integer PRIMARY KEY)",
            "CREATE TABLE notes (id integer PRIMARY KEY, "
            "user_id integer REFERENCES other.users)",
        )
        result = await db.register_schema_as_models_async(["notes"])

        reason = result["left_out"]["Note"]["user_id -> other.users (id)"]
        assert "search_path" in reason


async def test_two_tables_of_one_name_are_not_both_registered(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            "CREATE TABLE box (id integer PRIMARY KEY)",
            "CREATE TABLE boxes (id integer PRIMARY KEY)",
        )
        result: dict[str, Any] = await db.register_schema_as_models_async()

        assert result["registered_models"] == ["Box"]
        (error,) = result["errors"]
        assert "boxes: a model Box of the table box is declared already" in error


async def test_names_of_columns_are_never_hidden(database_url: str) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(
            db,
            """CREATE TABLE "a.b" (
              id integer PRIMARY KEY,
              up integer REFERENCES "a.b" (id), "up_ab" integer,
              ab integer, ab_by_up integer, "_id" integer REFERENCES "a.b" (id),
              "$x_id" integer REFERENCES "a.b" (id), a_b integer
            )""",
        )
        result = await db.register_schema_as_models_async()
        (name,) = result["registered_models"]
        model = db[name].model

        assert result["left_out"] == {}
        assert len(model.relations) == 6
        assert not {*model.relations} & {*model.names}
        await db[name].create(id=1)
        for each in model.relations:
            assert not each.startswith(("$", "_"))
            assert "." not in each
            await db[name].list(include=[each])


async def test_a_model_whose_own_relations_are_not_there_yet_is_referred_to(
    database_url: str,
) -> None:
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await run(db, *SHOP)

        @db.model
        class User:
            name: str
            boss_id: int | None = field(references="Boss")

        result = await db.register_schema_as_models_async(["orders"])

        reason = result["left_out"]["Order"]["seller_name -> users (name)"]
        assert "may be the same in several rows" in reason
        assert relations(db["Order"].model)["buyer"] == ("User", False)


async def test_a_module_says_relations_of_columns_that_are_no_names(
    database_url: str, tmp_path: Path
) -> None:
    async with DataFlow(database_url) as db:
        await run(
            db,
            "CREATE TABLE rooms (a integer NOT NULL, b integer NOT NULL, "
            "PRIMARY KEY (a, b))",
            """CREATE TABLE beds (
              id integer PRIMARY KEY, "room a" integer, "class" integer,
              "next bed_id" integer REFERENCES beds (id) ON DELETE SET NULL,
              FOREIGN KEY ("room a", "class") REFERENCES rooms (b, a)
            )""",
        )
        module = imported(model_source(await db.inspect_schema_async()), tmp_path)
        module.register(db)

        assert relations(db["Bed"].model) == {
            "next bed": ("Bed", False),
            "room": ("Room", False),
            "beds": ("Bed", True),
        }
        await db["Room"].create(a=1, b=2)
        await db["Bed"].create(**{"id": 1, "room a": 2, "class": 1})
        page = await db["Bed"].list(include=["room", "next bed"])
        assert page["records"][0]["room"] == {"a": 1, "b": 2}
        assert page["records"][0]["next bed"] is None
