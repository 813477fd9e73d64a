"""A table of SQLite that is made anew keeps what belongs to it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import anyio
import pytest
from evolving import FREE, migrate, migrator, model, run

from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    DataFlowError,
    MigrationBlockedError,
    MigrationCheckError,
    MigrationFailedError,
)
from dataflow.models import Digits, field

MASTER = "SELECT type, name, sql FROM sqlite_master ORDER BY name"


@pytest.fixture
async def driver(sqlite_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver for a new SQLite database."""
    made = connect(parse_url(sqlite_url), bridge)
    yield made
    await made.aclose()


async def master(driver: Driver) -> list[tuple[str, str, str]]:
    """Return the schema as SQLite keeps it, without the ledger."""
    return [row for row in await run(driver, MASTER) if "dataflow" not in row[1]]


USER = model("User", name=str, age=int | None)
CHANGED = model("User", name=(str, field(unique=True)), age=(int, 0))


async def prepare(driver: Driver) -> None:
    await migrate(driver, USER)
    for text in (
        """CREATE TABLE pets (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL
        REFERENCES users (id) ON DELETE CASCADE)""",
        "CREATE TABLE log (said TEXT)",
        "CREATE VIEW adults AS SELECT name FROM users WHERE age > 17",
        """CREATE TRIGGER noted AFTER INSERT ON users BEGIN
        INSERT INTO log VALUES (NEW.name); END""",
        "CREATE INDEX partly ON users (age) WHERE age > 3",
        "INSERT INTO users (id, name, age) VALUES (1, 'a', 20), (5, 'b', NULL)",
        "DELETE FROM users WHERE id = 5",
        "INSERT INTO users (id, name, age) VALUES (3, 'c', NULL)",
        "INSERT INTO pets VALUES (1, 1), (2, 3)",
    ):
        await run(driver, text)


async def test_children_views_triggers_indexes_and_counting_are_kept(
    driver: Driver,
) -> None:
    await prepare(driver)
    before = {name: sql for _, name, sql in await master(driver)}
    await migrate(driver, CHANGED)
    after = {name: sql for _, name, sql in await master(driver)}

    kept = ("pets", "log", "adults", "noted", "partly")
    assert {each: after[each] for each in kept} == {each: before[each] for each in kept}
    assert await run(driver, "SELECT * FROM pets") == [(1, 1), (2, 3)]
    assert await run(driver, "SELECT * FROM adults") == [("a",)]
    assert await run(driver, "SELECT id, name, age FROM users") == [
        (1, "a", 20),
        (3, "c", 0),
    ]
    await run(driver, "INSERT INTO users (name, age) VALUES ('d', 1)")
    assert await run(driver, "SELECT max(id) FROM users") == [(6,)]
    assert await run(driver, "SELECT count(*) FROM log") == [(4,)]
    await run(driver, "DELETE FROM users WHERE id = 1")
    assert await run(driver, "SELECT * FROM pets") == [(2, 3)]
    assert await run(driver, "PRAGMA foreign_keys") == [(1,)]
    assert await run(driver, "PRAGMA integrity_check") == [("ok",)]


async def test_rolling_it_back_gives_the_old_table_and_its_rows(driver: Driver) -> None:
    await prepare(driver)
    await migrate(driver, CHANGED)
    entry = await migrator(driver, CHANGED).roll_back()

    assert entry.state == "rolled back"
    assert not (await migrator(driver, USER).check()).steps
    rows = await run(driver, "SELECT id, name, age FROM users")
    assert rows == [(1, "a", 20), (3, "c", 0)]
    assert await run(driver, "SELECT * FROM pets") == [(1, 1), (2, 3)]


async def test_a_full_disk_leaves_the_table_as_it_was(driver: Driver) -> None:
    await prepare(driver)
    many = (
        "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO users (id, name) SELECT i, printf('%0200d', i) FROM n"
    )
    await run(driver, many)
    before = await master(driver)
    (pages,) = (await run(driver, "PRAGMA page_count"))[0]
    await run(driver, f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(MigrationFailedError) as error:
        await migrate(driver, CHANGED)
    await run(driver, "PRAGMA max_page_count = 1000000")

    assert "SQLITE_FULL" in error.value.reason
    assert await master(driver) == before
    assert await run(driver, "SELECT count(*) FROM users") == [(2993,)]
    assert await run(driver, "PRAGMA foreign_keys") == [(1,)]
    assert await migrate(driver, CHANGED)


FULL = """
import resource, sys
import anyio
sys.path.insert(0, sys.argv[3])
from evolving import FREE, migrator, model
from dataflow.drivers import connect, open_bridge, parse_url
from dataflow.errors import BackupError, MigrationFailedError
from dataflow.models import field
from dataflow.schema.migration import Permission, Risk

CHANGED = model("User", name=(str, field(unique=True)), age=(int, 0))

async def main():
    permission = Permission(limit=Risk.CRITICAL, has_backup=sys.argv[4] == "backup")
    async with open_bridge() as bridge:
        driver = connect(parse_url(sys.argv[1]), bridge)
        try:
            await migrator(driver, CHANGED).apply(permission)
        except (BackupError, MigrationFailedError) as error:
            print(type(error).__name__)
        await driver.aclose()

# No file may grow beyond this; Python ignores the signal that comes with it.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("what", "error"), [("plain", "MigrationFailedError"), ("backup", "BackupError")]
)
async def test_a_file_that_cannot_grow_leaves_the_table_as_it_was(
    driver: Driver, sqlite_url: str, what: str, error: str
) -> None:
    await prepare(driver)
    many = (
        "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "INSERT INTO users (id, name) SELECT i, printf('%0200d', i) FROM n"
    )
    await run(driver, many)
    await run(driver, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = await master(driver)
    limit = 600_000 if what == "backup" else 1_400_000
    helpers = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", FULL, sqlite_url, str(limit), helpers, what]
    done = await anyio.run_process(command, stderr=None)

    assert done.stdout.decode().split() == [error]
    assert await master(driver) == before
    assert await run(driver, "SELECT count(*) FROM users") == [(4993,)]
    assert await run(driver, "PRAGMA integrity_check") == [("ok",)]
    assert await migrate(driver, CHANGED)


@pytest.mark.parametrize(
    ("before", "after", "value", "stored"),
    [
        (int, str, "12", "12"),
        (int, Decimal, "12", "12"),
        (int, Annotated[Decimal, Digits(6, 2)], "12", 1200),
        (str, int, "'12'", 12),
        (float, int, "2.0", 2),
        (Annotated[Decimal, Digits(6, 2)], Decimal, "150", "1.50"),
        (
            Annotated[Decimal, Digits(6, 2)],
            Annotated[Decimal, Digits(8, 3)],
            "150",
            1500,
        ),
        (Decimal, Annotated[Decimal, Digits(6, 2)], "'1.5'", 150),
        (Annotated[Decimal, Digits(6, 2)], str, "150", "1.50"),
        (bool, int, "1", 1),
        (Decimal, int, "'7'", 7),
        (str, Decimal, "'1.25'", "1.25"),
    ],
)
async def test_a_value_that_fits_is_converted(
    driver: Driver, before: type, after: type, value: str, stored: object
) -> None:
    await migrate(driver, model("Thing", size=before))
    await run(driver, f"INSERT INTO things (size) VALUES ({value})")  # noqa: S608
    await migrate(driver, model("Thing", size=after))

    assert await run(driver, "SELECT size FROM things") == [(stored,)]


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (int, float, "9007199254740993"),
        (int, Annotated[Decimal, Digits(3, 2)], "12"),
        (str, int, "'12x'"),
        (str, int, "'007'"),
        (float, int, "2.5"),
        (Decimal, Annotated[Decimal, Digits(6, 2)], "'1.555'"),
        (Annotated[Decimal, Digits(6, 2)], Annotated[Decimal, Digits(6, 1)], "155"),
        (str, Decimal, "'1,25'"),
    ],
)
async def test_a_value_that_does_not_fit_stops_it(
    driver: Driver, before: type, after: type, value: str
) -> None:
    await migrate(driver, model("Thing", size=before))
    await run(driver, f"INSERT INTO things (size) VALUES ({value})")  # noqa: S608
    texts = await master(driver)
    with pytest.raises(DataFlowError) as error:
        await migrate(driver, model("Thing", size=after))

    assert isinstance(error.value, MigrationCheckError)
    assert "is no " in error.value.problem
    assert await master(driver) == texts


async def test_a_conversion_that_would_be_a_guess_is_refused(driver: Driver) -> None:
    await migrate(driver, model("Thing", size=bytes))
    with pytest.raises(MigrationBlockedError, match="without guessing") as error:
        await migrate(driver, model("Thing", size=float))

    assert len(error.value.problems) == 1


async def test_a_view_that_was_broken_before_stops_nothing(driver: Driver) -> None:
    await prepare(driver)
    await run(driver, "CREATE VIEW broken AS SELECT missing FROM users")

    assert await migrate(driver, CHANGED)


async def test_what_a_rebuild_would_lose_is_refused(driver: Driver) -> None:
    await run(
        driver,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "age INTEGER UNIQUE ON CONFLICT REPLACE)",
    )
    with pytest.raises(MigrationBlockedError, match="ON CONFLICT"):
        await migrate(driver, CHANGED)


async def test_checks_follow_a_column_that_is_renamed(driver: Driver) -> None:
    await run(
        driver,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "nick TEXT CHECK (length(nick) < 9), age INT CHECK (age < 200 AND 'age' <> ''), "
        "twice INT GENERATED ALWAYS AS (age * 2))",
    )
    await run(driver, "INSERT INTO users (name, nick, age) VALUES ('a', 'b', 3)")
    years = (int, field(renamed_from="age", default=0))
    await migrate(driver, model("User", name=(str, field(unique=True)), years=years))

    query = "SELECT years, _dataflow_dropped_nick, _dataflow_dropped_twice FROM users"
    assert await run(driver, query) == [(3, "b", 6)]
    for bad in ("SET years = 200", "SET _dataflow_dropped_nick = '0123456789'"):
        with pytest.raises(DataFlowError, match="check"):
            await run(driver, f"UPDATE users {bad}")


async def test_what_others_declared_is_kept(driver: Driver) -> None:
    await run(
        driver,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL "
        "DEFAULT 'it''s', age INT CHECK (age < 200), CONSTRAINT few CHECK (id < 9))",
    )
    await run(driver, "INSERT INTO users (age) VALUES (3)")
    await migrate(driver, CHANGED)
    await run(driver, "INSERT INTO users (name, age) VALUES ('b', 1)")

    rows = await run(driver, "SELECT id, name, age FROM users")
    assert rows == [(1, "it's", 3), (2, "b", 1)]
    for bad in ("(id, name, age) VALUES (10, 'c', 1)", "(name, age) VALUES ('d', 200)"):
        with pytest.raises(DataFlowError, match="check"):
            await run(driver, f"INSERT INTO users {bad}")


async def test_a_table_without_rowid_stays_one(driver: Driver) -> None:
    await run(
        driver, "CREATE TABLE codes (code TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID"
    )
    await run(driver, "INSERT INTO codes VALUES ('a', 1), ('b', 2)")
    code = model(
        "Code", code=(str, field(primary_key=True)), size=(int, 0), more=(str, "x")
    )
    await migrate(driver, code)

    (text,) = (await run(driver, "SELECT sql FROM sqlite_master WHERE name = 'codes'"))[
        0
    ]
    assert text.endswith("WITHOUT ROWID")
    assert await run(driver, "SELECT * FROM codes") == [("a", 1, "x"), ("b", 2, "x")]


async def test_twins_stop_a_unique_constraint_before_anything_is_done(
    driver: Driver,
) -> None:
    await migrate(driver, USER)
    await run(driver, "INSERT INTO users (name) VALUES ('a'), ('a')")
    before = await run(driver, MASTER)
    with pytest.raises(MigrationCheckError, match="the same name"):
        await migrate(driver, CHANGED)

    assert await run(driver, MASTER) == before


async def test_a_table_that_others_write_to_while_it_is_planned_waits(
    driver: Driver,
) -> None:
    await migrate(driver, USER)
    application = migrator(driver, CHANGED)
    plan = await application.plan()
    await run(driver, "INSERT INTO users (name) VALUES ('late')")

    assert plan.steps
    assert await application.apply(FREE)
    assert await run(driver, "SELECT name, age FROM users") == [("late", 0)]
