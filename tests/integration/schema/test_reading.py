"""What a database says of tables that others made."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.schema import (
    Check,
    EnumType,
    ForeignKey,
    IndexPart,
    Key,
    TableIndex,
    Unique,
    read_schema,
)
from dataflow.sql import Statement

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@pytest.fixture
async def sqlite_driver(sqlite_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new file."""
    driver = connect(parse_url(sqlite_url), bridge)
    yield driver
    await driver.aclose()


@pytest.fixture
async def postgres_driver(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new PostgreSQL database."""
    driver = connect(parse_url(postgres_url), bridge)
    yield driver
    await driver.aclose()


async def run(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run([Statement(text)])


SHARED = (
    """CREATE TABLE "Order Details" (
      "Order ID" integer NOT NULL,
      "select" integer NOT NULL,
      quantity integer DEFAULT 1 CONSTRAINT "some" CHECK (quantity > 0),
      "it's" varchar(20) DEFAULT 'a, (b' NOT NULL,
      CONSTRAINT "the key" PRIMARY KEY ("Order ID", "select"),
      CONSTRAINT twice UNIQUE (quantity, "it's"),
      UNIQUE ("it's"),
      CHECK (quantity < 100)
    )""",
    """CREATE TABLE notes (
      id integer PRIMARY KEY,
      "order" integer,
      line integer,
      parent integer REFERENCES notes (id) ON DELETE CASCADE,
      CONSTRAINT "of" FOREIGN KEY ("order", line) REFERENCES "Order Details"
        ON UPDATE SET NULL ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED
    )""",
    'CREATE UNIQUE INDEX "an index" ON notes (line DESC, "order")',
    "CREATE INDEX partial ON notes (parent) WHERE line IS NOT NULL",
    "CREATE INDEX computed ON notes (abs(line), id)",
    "CREATE VIEW totals AS SELECT id, line FROM notes",
)


async def test_tables_of_others_are_read_as_they_are(driver: Driver) -> None:
    await run(driver, *SHARED)
    shape = await read_schema(driver)
    details, notes = shape.table("Order Details"), shape.table("notes")
    is_sqlite = driver.dialect.name == "sqlite"

    assert sorted(shape.by_name) == ["Order Details", "notes", "totals"]
    assert details.key == Key(("Order ID", "select"), "the key")
    assert details.uniques == (
        Unique(("it's",), None if is_sqlite else "Order Details_it's_key"),
        Unique(("quantity", "it's"), "twice"),
    )
    assert details.checks == (
        (Check("quantity < 100"), Check("quantity > 0", "some"))
        if is_sqlite
        else (
            Check("quantity < 100", "Order Details_quantity_check"),
            Check("quantity > 0", "some"),
        )
    )
    assert [(each.name, each.is_nullable) for each in details.columns] == [
        ("Order ID", False),
        ("select", False),
        ("quantity", True),
        ("it's", False),
    ]
    assert details.by_name["quantity"].default == "1"
    assert str(details.by_name["it's"].default).startswith("'a, (b'")
    assert notes.foreign_keys == (
        ForeignKey(
            columns=("order", "line"),
            target="Order Details",
            target_columns=("Order ID", "select"),
            on_delete="SET DEFAULT",
            on_update="SET NULL",
            is_deferrable=True,
            name="of",
        ),
        ForeignKey(
            columns=("parent",),
            target="notes",
            target_columns=("id",),
            on_delete="CASCADE",
            name=None if is_sqlite else "notes_parent_fkey",
        ),
    )
    assert notes.indexes == (
        TableIndex(
            name="an index",
            parts=(IndexPart("line", is_descending=True), IndexPart("order")),
            is_unique=True,
        ),
        TableIndex(
            name="computed",
            parts=(IndexPart("abs(line)", is_expression=True), IndexPart("id")),
        ),
        TableIndex(
            name="partial", parts=(IndexPart("parent"),), where="line IS NOT NULL"
        ),
    )
    (view,) = shape.views
    assert [each.name for each in view.columns] == ["id", "line"]
    assert "notes" in view.definition


async def test_what_sqlite_says_only_in_the_text_is_read_off_it(
    sqlite_driver: Driver,
) -> None:
    await run(
        sqlite_driver,
        """CREATE TABLE [a "b] ( -- a comment, with a bracket (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          `name` VARCHAR(20) COLLATE NOCASE NOT NULL /* , */ CHECK (name <> ')'),
          size DECIMAL(10, 2) AS (id * (2)) STORED,
          half GENERATED ALWAYS AS (id / 2),
          one INTEGER CONSTRAINT "un" UNIQUE,
          other INTEGER CONSTRAINT fk REFERENCES [a "b] (id) DEFERRABLE NOT NULL,
          third INTEGER REFERENCES [a "b] NOT DEFERRABLE DEFAULT 3
        )""",
        "CREATE VIRTUAL TABLE words USING fts5(text)",
        "CREATE TABLE plain (key TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE VIEW broken AS SELECT * FROM nowhere",
        'CREATE VIEW fine AS SELECT id FROM [a "b]',
    )
    shape = await read_schema(sqlite_driver)
    table = shape.table('a "b')
    by_name = table.by_name

    assert sorted(shape.by_name) == ['a "b', "broken", "fine", "plain", "words"]
    assert by_name["id"].identity == "rowid"
    assert by_name["id"].is_autoincrement
    assert by_name["name"].collation == "NOCASE"
    assert by_name["size"].generated == "id * (2)"
    assert by_name["size"].is_stored
    assert by_name["half"].generated == "id / 2"
    assert not by_name["half"].is_stored
    assert table.checks == (Check("name <> ')'"),)
    assert table.uniques == (Unique(("one",), "un"),)
    assert [(each.name, each.is_deferrable) for each in table.foreign_keys] == [
        ("fk", True),
        (None, False),
    ]
    assert [each.target_columns for each in table.foreign_keys] == [("id",), ("id",)]
    assert by_name["third"].default == "3"
    assert shape.table("plain").key == Key(("key",))
    assert shape.table("plain").by_name["key"].identity is None
    assert shape.by_name["broken"].columns == ()
    assert [each.name for each in shape.by_name["fine"].columns] == ["id"]


@pytest.mark.postgres
async def test_what_postgresql_alone_has_is_read(postgres_driver: Driver) -> None:
    await run(
        postgres_driver,
        "CREATE SCHEMA sales",
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE TYPE sales.state AS ENUM ('new')",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE DOMAIN more AS positive",
        """CREATE TABLE people (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          serial serial,
          how mood DEFAULT 'sad',
          moods mood[],
          many more,
          manies more[],
          twice integer GENERATED ALWAYS AS (many * 2) STORED,
          period tsrange,
          name text COLLATE "C" UNIQUE NULLS NOT DISTINCT,
          EXCLUDE USING gist (period WITH &&)
        )""",
        "CREATE TABLE sales.orders (id integer PRIMARY KEY, how sales.state)",
        "CREATE TABLE bills (orders integer REFERENCES sales.orders)",
        "CREATE INDEX with_more ON people (many) INCLUDE (serial) WHERE (many > 1)",
        "CREATE MATERIALIZED VIEW seen AS SELECT id, how FROM people",
        "CREATE TABLE parts (at date NOT NULL) PARTITION BY RANGE (at)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
    )
    shape = await read_schema(postgres_driver)
    people = shape.table("people")
    columns = people.by_name

    assert sorted(shape.by_name) == ["bills", "parts", "people", "seen"]
    assert shape.enums == (EnumType(name="mood", labels=("sad", "happy")),)
    assert columns["id"].identity == "always"
    assert (columns["serial"].identity, columns["serial"].default) == ("serial", None)
    assert columns["how"].field_type is not None
    assert columns["how"].field_type.choices == ("sad", "happy")
    assert columns["moods"].field_type is not None
    assert columns["many"].type == "more"
    assert columns["many"].field_type is not None
    assert columns["many"].field_type.column == "integer"
    assert columns["manies"].field_type is None
    assert columns["twice"].generated is not None
    assert columns["period"].field_type is None
    assert columns["name"].collation == "C"
    assert people.uniques[0].nulls_distinct is False
    (index,) = people.indexes
    assert (index.included, index.where) == (("serial",), "(many)::integer > 1")
    (key,) = shape.table("bills").foreign_keys
    assert (key.target, key.target_schema) == ("orders", "sales")
    assert shape.views[0].is_materialized

    other = await read_schema(postgres_driver, "sales")
    assert [each.full_name for each in other.tables] == ["sales.orders"]
    assert [each.schema for each in other.enums] == ["sales"]


async def test_an_empty_database_has_an_empty_shape(driver: Driver) -> None:
    shape = await read_schema(driver)

    assert shape.by_name == {}
    assert shape.plain() == {
        "dialect": driver.dialect.name,
        "tables": [],
        "views": [],
        "enums": [],
    }


async def test_a_shape_is_told_as_json_holds_it(driver: Driver) -> None:
    await run(driver, *SHARED)
    plain = (await read_schema(driver)).plain()
    (table,) = (each for each in plain["tables"] if each["name"] == "notes")

    assert table["columns"][0]["name"] == "id"
    assert "field_type" not in table["columns"][0]
