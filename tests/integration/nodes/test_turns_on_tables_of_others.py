"""Turns on tables that others made: triggers, policies, types of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Protocol

import pytest
from postgres import PostgresServer

from dataflow import DataFlow, Records
from dataflow.actors import Interceptor
from dataflow.drivers import Driver
from dataflow.errors import (
    ConstraintError,
    DriverError,
    DuplicateKeyError,
    QueryError,
    StoredValueError,
)
from dataflow.sql import POSTGRESQL, Statement

MEMBER = "dataflow_member"
"""Role that row-level security applies to."""


class Door(Interceptor, Protocol):
    """See conftest."""

    sizes: list[int]

    async def line_up(
        self, first: Awaitable[Any], *rest: Awaitable[Any]
    ) -> list[Any]: ...


@pytest.fixture
async def db(database_url: str, door: Door) -> AsyncIterator[DataFlow]:
    async with DataFlow(
        database_url, pool_size=1, existing_schema_mode=True, interceptors=[door]
    ) as db:
        yield db
    db.close()


async def run(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run([Statement(text)])


async def values(driver: Driver, text: str) -> list[Any]:
    async with driver.acquire() as connection:
        (result,) = await connection.run([Statement(text, returns_rows=True)])
    return [row[0] for row in result.rows]


def trigger(driver: Driver, name: str, event: str, sqlite: str, postgres: str) -> str:
    """Write a trigger on items; on PostgreSQL in its own function."""
    if driver.dialect is POSTGRESQL:
        return (
            f"DO $do$ BEGIN CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $$ BEGIN {postgres} END $$; CREATE TRIGGER {name} {event} ON items "
            f"FOR EACH ROW EXECUTE FUNCTION {name}(); END $do$"
        )
    return f"CREATE TRIGGER {name} {event} ON items BEGIN {sqlite}; END"


@pytest.fixture
async def items(db: DataFlow, other: Driver) -> Records:
    """Give a table with a log beside it."""
    key = "BIGSERIAL" if other.dialect is POSTGRESQL else "INTEGER"
    await run(
        other,
        f"CREATE TABLE items (id {key} PRIMARY KEY, name TEXT, number BIGINT)",
        "CREATE TABLE log (name TEXT)",
    )

    @db.model
    class Item:
        name: str
        number: int = 0

    return db[Item]


def creates(items: Records, *names: str) -> list[Awaitable[Any]]:
    return [items.create(name=name) for name in names]


# -- triggers -----------------------------------------------------------------------


async def test_what_a_trigger_makes_of_a_row_is_replied_or_stored(
    items: Records, door: Door, other: Driver
) -> None:
    await run(
        other,
        trigger(
            other,
            "doubled",
            "BEFORE INSERT" if other.dialect is POSTGRESQL else "AFTER INSERT",
            "UPDATE items SET number = NEW.number * 2 WHERE id = NEW.id",
            "NEW.number = NEW.number * 2; RETURN NEW;",
        ),
    )
    replies = await door.line_up(
        *(items.create(name=f"name {n}", number=n) for n in range(6))
    )
    stored = [record["number"] async for record in items.stream()]

    # SQLite's RETURNING does not see what triggers do afterwards.
    factor = 2 if other.dialect is POSTGRESQL else 1
    assert [row["number"] for row in replies] == [n * factor for n in range(6)]
    assert stored == [n * 2 for n in range(6)]


async def test_a_trigger_that_writes_elsewhere_does_so_once_per_row(
    items: Records, door: Door, other: Driver
) -> None:
    log = "INSERT INTO log VALUES (NEW.name)"
    await run(
        other, trigger(other, "logged", "AFTER INSERT", log, f"{log}; RETURN NULL;")
    )
    await run(other, "CREATE UNIQUE INDEX once ON items (name)")
    outcomes = await door.line_up(*creates(items, *"abcadea"))

    kinds: list[type] = [type(outcome) for outcome in outcomes]
    bad = {3, 6}
    assert kinds == [DuplicateKeyError if n in bad else dict for n in range(7)]
    assert sorted(await values(other, "SELECT name FROM log")) == list("abcde")


def keep_out(driver: Driver, event: str, condition: str) -> str:
    """Write a trigger that keeps a row out without an error."""
    return trigger(
        driver,
        "kept_out",
        f"BEFORE {event}",
        f"SELECT RAISE(IGNORE) WHERE {condition}",
        f"IF {condition} THEN RETURN NULL; END IF; RETURN NEW;",
    )


async def test_rows_that_a_trigger_keeps_out_fail_alone(
    items: Records, door: Door, other: Driver
) -> None:
    await run(other, keep_out(other, "INSERT", "NEW.name LIKE 'bad%'"))
    outcomes = await door.line_up(
        *creates(items, "a", "b", "bad 1", "c", "bad 2", "d", "e")
    )
    errors = [outcomes.pop(4), outcomes.pop(2)]

    for error in errors:
        assert isinstance(error, ConstraintError)
        assert (error.kind, error.table) == ("trigger", "items")
    assert [row["name"] for row in outcomes] == list("abcde")
    assert [record["name"] async for record in items.stream()] == list("abcde")


async def test_a_trigger_that_keeps_every_row_out_is_not_run_again(
    items: Records, door: Door, other: Driver
) -> None:
    """So do tables that hand each row on to another one."""
    log = "INSERT INTO log VALUES (NEW.name)"
    ignore = f"{log}; SELECT RAISE(IGNORE)"
    await run(
        other, trigger(other, "moved", "BEFORE INSERT", ignore, f"{log}; RETURN NULL;")
    )
    outcomes = await door.line_up(*creates(items, *"abcdef"))

    assert [type(outcome) for outcome in outcomes] == [ConstraintError] * 6
    assert sorted(await values(other, "SELECT name FROM log")) == list("abcdef")
    assert await items.count() == 0


async def test_updates_that_a_trigger_keeps_out_found_no_row(
    items: Records, door: Door, other: Driver
) -> None:
    for call in creates(items, *"abcd"):
        await call
    await run(other, keep_out(other, "UPDATE", "OLD.name = 'b'"))
    outcomes = await door.line_up(*(items.update(n, number=n) for n in range(1, 5)))

    assert [row["updated"] for row in outcomes] == [True, False, True, True]
    assert await values(other, "SELECT number FROM items ORDER BY id") == [1, 0, 3, 4]


async def test_upserts_that_a_trigger_keeps_out_fail_alone(
    items: Records, door: Door, other: Driver
) -> None:
    await run(other, keep_out(other, "INSERT", "NEW.name = 'bad'"))
    outcomes = await door.line_up(
        *(
            items.upsert(where={"id": key}, update={"name": name})
            for key, name in [(5, "a"), (4, "b"), (3, "bad"), (2, "c"), (4, "d")]
        )
    )
    error = outcomes.pop(2)

    assert isinstance(error, ConstraintError)
    assert error.kind == "trigger"
    assert [row["created"] for row in outcomes] == [True, True, True, False]
    assert [record["name"] async for record in items.stream()] == ["c", "d", "a"]


async def test_a_key_that_a_trigger_changes_is_still_replied_to(
    items: Records, door: Door, other: Driver
) -> None:
    for call in creates(items, *"abc"):
        await call
    if other.dialect is not POSTGRESQL:
        return  # its triggers cannot change the row in hand
    moved = "NEW.id = NEW.id + 10; NEW.number = NEW.number + 1; RETURN NEW;"
    await run(other, trigger(other, "moved", "BEFORE UPDATE", "", moved))
    outcomes = await door.line_up(*(items.update(n, number=n) for n in (3, 2, 1)))

    assert [(row["id"], row["number"]) for row in outcomes] == [
        (13, 4),
        (12, 3),
        (11, 2),
    ]


async def test_a_stored_value_that_cannot_be_read_fails_its_message_only(
    db: DataFlow, door: Door, other: Driver
) -> None:
    await run(
        other,
        "CREATE TABLE paints (id INTEGER PRIMARY KEY, color TEXT)",
        "INSERT INTO paints VALUES (1, 'red'), (2, 'beige'), (3, 'red')",
    )

    class Color(Enum):
        RED = "red"

    @db.model
    class Paint:
        id: int
        color: Color

    outcomes = await door.line_up(*(db[Paint].read(n) for n in (3, 1, 2, 3)))

    assert isinstance(outcomes.pop(2), StoredValueError)
    assert [row["color"] for row in outcomes] == [Color.RED] * 3


# -- constraints at the commit ----------------------------------------------------------


async def test_a_constraint_that_is_checked_at_the_commit_fails_one_row(
    db: DataFlow, door: Door, other: Driver
) -> None:
    await run(
        other,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "INSERT INTO parents VALUES (1)",
        "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES "
        "parents DEFERRABLE INITIALLY DEFERRED)",
    )

    @db.model
    class Child:
        __tablename__ = "children"
        id: int
        parent: int
        __dataflow__: ClassVar = {"table_name": "children"}

    rows = db[Child]
    outcomes = await door.line_up(
        *(rows.create(id=n, parent=9 if n == 4 else 1) for n in range(1, 8))
    )
    error = outcomes.pop(3)

    assert isinstance(error, ConstraintError)
    assert error.kind == "foreign_key"
    assert [row["id"] for row in outcomes] == [1, 2, 3, 5, 6, 7]
    assert await values(other, "SELECT id FROM children ORDER BY id") == [
        1,
        2,
        3,
        5,
        6,
        7,
    ]


# -- columns of other types, on PostgreSQL -------------------------------------------------

postgres = pytest.mark.parametrize(
    "database_url", ["postgres_url"], indirect=True, ids=["postgres"]
)


@pytest.fixture
async def odds(db: DataFlow, other: Driver) -> Records:
    """Give a table whose columns have other types than the model's."""
    await run(
        other,
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN small AS integer CHECK (VALUE < 100)",
        """CREATE TABLE odds (
            code char(6) PRIMARY KEY, mood mood, number smallint, little small,
            price numeric, doc json, name varchar(8), share real, ref uuid)""",
    )

    @db.model
    class Odd:
        code: str
        mood: str
        number: int
        little: int
        price: Decimal
        doc: dict[str, Any]
        name: str
        share: float
        ref: str | None = None
        __dataflow__: ClassVar = {"primary_key": ["code"]}

    return db[Odd]


def odd(number: int) -> dict[str, Any]:
    return {
        "code": f"k{number}",
        "mood": "ok",
        "number": number,
        "little": number,
        "price": Decimal("1.23456789"),
        "doc": {"a": [number]},
        "name": "name",
        "share": 0.5,
    }


@postgres
async def test_rows_of_other_types_are_stored_together(
    odds: Records, door: Door
) -> None:
    alone = await odds.create(**odd(1))
    together = await door.line_up(*(odds.create(**odd(n)) for n in range(2, 6)))
    read = await door.line_up(*(odds.read(f"k{n}") for n in range(1, 6)))

    expected = [{**odd(n), "code": f"k{n}    ", "ref": None} for n in range(1, 6)]
    assert [alone, *together] == expected
    assert read == [{**row, "found": True} for row in expected]


@postgres
async def test_a_value_that_only_its_column_refuses_fails_alone(
    odds: Records, door: Door
) -> None:
    bad: list[dict[str, Any]] = [
        {"mood": "odd"},
        {"number": 2**20},
        {"little": 100},
        {"name": "longer than that"},
    ]
    rows = [odd(n) for n in range(9)]
    for number, change in enumerate(bad):
        rows[2 * number + 1] |= change
    outcomes = await door.line_up(*(odds.create(**row) for row in rows))

    assert [isinstance(outcome, DriverError) for outcome in outcomes] == [
        number in (1, 3, 5, 7) for number in range(9)
    ]
    assert await odds.count() == 5


@postgres
async def test_keys_that_only_their_column_takes_for_equal_are_the_same_row(
    odds: Records, door: Door
) -> None:
    """Of char(n), spaces at the end do not count."""
    for number in range(1, 4):
        await odds.create(**odd(number))
    updated = await door.line_up(
        odds.update("k1", number=5),
        odds.update("k1 ", number=6),
        odds.update("k1  ", number=7),
        odds.update("k2", name="two"),
    )
    read = await door.line_up(*(odds.read(key) for key in ("k1", "k1 ", "k2")))
    deleted = await door.line_up(
        *(odds.delete(key) for key in ("k3", "k1", "k1 ", "k2", "K2"))
    )

    assert [row["updated"] for row in updated] == [True] * 4
    assert [(row["code"], row["number"]) for row in read] == [
        ("k1    ", 7),
        ("k1    ", 7),
        ("k2    ", 2),
    ]
    gone = [row["deleted"] for row in deleted]
    assert (gone[0], sorted(gone[1:3]), gone[3:]) == (
        True,
        [False, True],
        [True, False],
    )
    assert await odds.count() == 0


@postgres
async def test_instants_without_a_timezone_are_read_in_utc(
    db: DataFlow, door: Door, other: Driver
) -> None:
    await run(
        other,
        "CREATE TABLE moments (id integer PRIMARY KEY, at timestamp)",
        "INSERT INTO moments SELECT n, timestamp '2024-02-29 12:00' FROM "
        "generate_series(1, 3) AS n",
    )

    @db.model
    class Moment:
        id: int
        at: datetime

    rows = await door.line_up(*(db[Moment].read(n) for n in (1, 2, 3)))

    assert {row["at"].isoformat() for row in rows} == {"2024-02-29T12:00:00+00:00"}


# -- row-level security, on PostgreSQL ---------------------------------------------------


@postgres
async def test_rows_that_a_policy_refuses_fail_alone(
    database_url: str, postgres_server: PostgresServer, other: Driver, door: Door
) -> None:
    postgres_server.execute(f"CREATE ROLE {MEMBER}")
    try:
        await run(
            other,
            "CREATE TABLE items (id BIGSERIAL PRIMARY KEY, name TEXT, number BIGINT)",
            "ALTER TABLE items ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE items FORCE ROW LEVEL SECURITY",
            "CREATE POLICY mine ON items USING (number >= 0) "
            "WITH CHECK (number BETWEEN 0 AND 99)",
            "INSERT INTO items (name, number) VALUES ('hidden', -1), ('seen', 1)",
            f"GRANT ALL ON items, items_id_seq TO {MEMBER}",
        )
        separator = "&" if "?" in database_url else "?"
        async with DataFlow(
            f"{database_url}{separator}options=-crole%3D{MEMBER}",
            pool_size=1,
            existing_schema_mode=True,
            interceptors=[door],
        ) as db:

            @db.model
            class Item:
                name: str
                number: int

            items = db[Item]
            created = await door.line_up(
                *(items.create(name=f"{n}", number=n) for n in (1, 2, 100, 3, 4))
            )
            updated = await door.line_up(
                *(items.update(n, number=m) for n, m in ((2, 2), (1, 5), (2, 300)))
            )
            deleted = await door.line_up(*(items.delete(n) for n in (2, 1, 77)))
            count = await items.count()
        db.close()
    finally:
        await run(other, f"DROP OWNED BY {MEMBER}")
        postgres_server.execute(f"DROP ROLE {MEMBER}")

    kinds: list[type] = [type(outcome) for outcome in created]
    assert kinds == [dict, dict, QueryError, dict, dict]
    assert created[2].code == "42501"
    assert [row["number"] for row in (*created[:2], *created[3:])] == [1, 2, 3, 4]
    assert [row.get("updated") for row in updated[:2]] == [True, False]
    assert updated[2].code == "42501"
    assert [row["deleted"] for row in deleted] == [True, False, False]
    assert count == 4
