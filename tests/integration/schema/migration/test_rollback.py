"""Going back: when a step fails, when somebody asks, and from a backup."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from evolving import FREE, migrate, migrator, model, run, text_of
from structlog.testing import capture_logs

from dataflow.drivers import Bridge, Driver, connect, parse_url
from dataflow.errors import (
    BackupError,
    ConnectionLostError,
    DriverError,
    MigrationCheckError,
    MigrationFailedError,
)
from dataflow.models import field
from dataflow.schema import Schema, read_schema
from dataflow.schema.migration import Permission, Risk
from dataflow.sql import Statement

OLD = model(
    "User", name=str, nick=str, age=float | None, __dataflow__={"indexes": ["age"]}
)
NEW = model(
    "User",
    name=(str, field(unique=True)),
    alias=(str, field(renamed_from="nick")),
    size=(int, 3),
    code=(int, field(default_factory=lambda: 7)),
    __dataflow__={"indexes": ["alias"]},
)
ROWS = "INSERT INTO users (name, nick, age) VALUES ('a', 'x', 1), ('b', 'y', NULL)"


async def schema_of(driver: Driver) -> Any:
    """Return the schema, to the byte where the database keeps it as text."""
    if driver.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master ORDER BY name"
        return [row for row in await run(driver, query) if "dataflow_mig" not in row[0]]
    return await read_schema(driver)


def plain(schema: Schema) -> Any:
    """Return what models can ask for, whatever the order of columns."""
    (table,) = (each for each in schema.tables if each.name == "users")
    return (
        {(each.name, each.type, each.is_nullable) for each in table.columns},
        {each.columns for each in table.uniques},
        {(each.name, each.columns) for each in table.indexes},
    )


@pytest.mark.parametrize("failing", range(12))
async def test_a_step_that_fails_undoes_those_before_it(
    driver: Driver, failing: int
) -> None:
    await migrate(driver, OLD)
    await run(driver, ROWS)
    before = await schema_of(driver)
    n_steps = len((await migrator(driver, NEW).plan()).steps)

    def fail(_: object, number: int, __: float) -> None:
        if number == min(failing, n_steps - 1):
            problem = "for the test"
            raise MigrationCheckError("a step", problem)

    with pytest.raises(MigrationCheckError, match="for the test") as error:
        await migrator(driver, NEW).apply(FREE, fail)

    if driver.dialect.name == "postgresql":
        assert "all steps before it were undone" in str(error.value)
    assert await schema_of(driver) == before
    rows = await run(driver, "SELECT name, nick, age FROM users ORDER BY name")
    assert rows == [("a", "x", 1), ("b", "y", None)]
    assert await migrate(driver, NEW)


async def test_without_rollback_the_steps_stay_and_the_next_run_goes_on(
    postgres_driver: Driver,
) -> None:
    driver = postgres_driver
    await migrate(driver, OLD)
    await run(driver, ROWS)

    def fail(_: object, number: int, __: float) -> None:
        if number == 2:
            problem = "for the test"
            raise MigrationCheckError("a step", problem)

    permission = Permission(limit=Risk.CRITICAL, is_rolled_back=False)
    with pytest.raises(MigrationCheckError, match="run it again"):
        await migrator(driver, NEW).apply(permission, fail)
    before = len((await migrator(driver, NEW).plan()).steps)
    entries = await migrator(driver, NEW).entries()

    assert entries[-1].state == "failed"
    assert before < len(entries[-1].steps)
    assert await migrator(driver, NEW).apply(permission)


async def test_a_migration_is_rolled_back_with_its_rows(driver: Driver) -> None:
    await migrate(driver, OLD)
    await run(driver, ROWS)
    before = plain(await read_schema(driver))
    await migrate(driver, NEW)
    entry = await migrator(driver, NEW).roll_back()

    assert (entry.number, entry.state) == (2, "rolled back")
    assert plain(await read_schema(driver)) == before
    rows = await run(driver, "SELECT name, nick, age FROM users ORDER BY name")
    assert rows == [("a", "x", 1), ("b", "y", None)]
    assert not (await migrator(driver, OLD).check()).steps
    states = [each.state for each in await migrator(driver, OLD).entries()]
    assert states == ["applied", "rolled back"]
    assert await migrate(driver, NEW)


async def test_a_backup_brings_values_back(driver: Driver) -> None:
    await migrate(driver, OLD)
    await run(driver, ROWS)
    permission = Permission(limit=Risk.CRITICAL, has_backup=True)
    entry = await migrator(driver, NEW).apply(permission)
    await run(driver, "UPDATE users SET alias = 'spoilt'")
    await migrator(driver, NEW).roll_back(has_restore=True)

    assert entry is not None
    assert entry.backup
    rows = await run(driver, "SELECT name, nick, age FROM users ORDER BY name")
    assert rows == [("a", "x", 1), ("b", "y", None)]
    assert not (await migrator(driver, OLD).check()).steps


async def test_a_backup_that_is_gone_or_never_was_is_told(driver: Driver) -> None:
    await migrate(driver, OLD)
    with pytest.raises(BackupError, match="without one"):
        await migrator(driver, OLD).roll_back(has_restore=True)
    permission = Permission(limit=Risk.CRITICAL, has_backup=True)
    entry = await migrator(driver, NEW).apply(permission)
    assert entry is not None
    if driver.dialect.name == "sqlite":
        await anyio.Path(entry.backup).unlink()
    else:
        await run(driver, f'DROP SCHEMA "{entry.backup}" CASCADE')
    with pytest.raises(BackupError, match="not there any more"):
        await migrator(driver, NEW).roll_back(has_restore=True)


async def test_a_backup_that_cannot_be_made_stops_it(
    driver: Driver, tmp_path: Path
) -> None:
    await migrate(driver, OLD)
    before = await schema_of(driver)
    if driver.dialect.name == "sqlite":
        (tmp_path / "test.db.before-migration-2.partial").mkdir()
    else:
        await run(driver, "CREATE SCHEMA dataflow_backup_2")
    permission = Permission(limit=Risk.CRITICAL, has_backup=True)
    with pytest.raises((BackupError, MigrationFailedError)):
        await migrator(driver, NEW).apply(permission)

    assert await schema_of(driver) == before


async def test_a_database_in_memory_has_no_backup(bridge: Bridge) -> None:
    driver = connect(parse_url(":memory:"), bridge)
    with pytest.raises(BackupError, match="in memory"):
        await migrator(driver, OLD).apply(Permission(has_backup=True))
    assert await migrate(driver, OLD)
    await driver.aclose()


async def test_a_lost_connection_is_gone_on_from(postgres_driver: Driver) -> None:
    driver = postgres_driver
    await migrate(driver, OLD)
    await run(driver, ROWS)
    killing = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks "
        "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    killed: list[int] = []

    def kill(_: object, number: int, __: float) -> None:
        killed.append(number)

    async def end() -> None:
        while not killed:
            await anyio.lowlevel.checkpoint()
        await run(driver, killing)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        # The connection may also be lost only after the last step.
        with suppress(MigrationFailedError, ConnectionLostError):
            await migrator(driver, NEW).apply(FREE, kill)

    await migrate(driver, NEW)
    assert not (await migrator(driver, NEW).check()).steps


async def test_what_the_database_refuses_fails_the_step_and_undoes_the_rest(
    postgres_driver: Driver,
) -> None:
    driver = postgres_driver
    await migrate(driver, OLD)
    await run(driver, ROWS)
    await run(driver, "CREATE VIEW grown AS SELECT name FROM users WHERE age > 17")
    before = await read_schema(driver)
    changed = model("User", name=str, nick=str, age=int | None, more=(int, 3))
    with pytest.raises(MigrationFailedError) as error:
        await migrate(driver, changed)

    assert "change column age of users" in error.value.step
    assert error.value.outcome == "all steps before it were undone"
    assert await read_schema(driver) == before


async def test_keys_that_the_database_made_are_made_again(
    postgres_driver: Driver,
) -> None:
    driver = postgres_driver
    await run(driver, "CREATE TABLE pets (id serial PRIMARY KEY, name text)")
    await run(
        driver,
        "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY "
        'PRIMARY KEY, name text COLLATE "C" NOT NULL)',
    )
    await run(driver, "INSERT INTO pets (name) VALUES ('a'), ('b')")
    await run(driver, "INSERT INTO users (name) VALUES ('a'), ('b')")
    before = await read_schema(driver)
    given = model("Pet", id=(int, field(generated=False)), name=str | None)
    keyed = model("User", name=(str, field(primary_key=True)))
    await migrate(driver, given, keyed)
    with pytest.raises(DriverError, match="null"):
        await run(driver, "INSERT INTO pets (name) VALUES ('c')")
    await migrator(driver, given, keyed).roll_back()

    assert await read_schema(driver) == before
    query = "INSERT INTO pets (name) VALUES ('c') RETURNING id"
    assert await run(driver, query) == [(3,)]
    query = "INSERT INTO users (name) VALUES ('c') RETURNING id"
    assert await run(driver, query) == [(3,)]


async def test_a_default_that_is_no_value_of_before_keeps_nothing_from_being_undone(
    driver: Driver,
) -> None:
    await migrate(driver, model("User", name=str, code=UUID | None))
    await run(driver, "INSERT INTO users (name) VALUES ('a')")
    before = await schema_of(driver)
    changed = model("User", name=str, code=(str, "none"), more=int | None)
    n_steps = len((await migrator(driver, changed).plan()).steps)

    def fail(_: object, number: int, __: float) -> None:
        if number == n_steps - 1:
            problem = "for the test"
            raise MigrationCheckError("a step", problem)

    with pytest.raises(MigrationCheckError, match="for the test"):
        await migrator(driver, changed).apply(FREE, fail)

    assert await schema_of(driver) == before
    assert await run(driver, "SELECT name, code FROM users") == [("a", None)]


async def test_names_and_bounds_come_back_with_what_was_dropped(driver: Driver) -> None:
    """The server would make the names of NOT NULL and of sequences of those of now."""
    await migrate(driver, model("User", name=str, age=int))
    if driver.dialect.name == "postgresql":
        sequence = "(SEQUENCE NAME counted START 40 MINVALUE 40 INCREMENT 2 CYCLE)"
        for text in (
            'ALTER TABLE users RENAME COLUMN age TO "a""ge"',
            "ALTER TABLE users ALTER COLUMN id DROP IDENTITY",
            f"ALTER TABLE users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY {sequence}",
        ):
            await run(driver, text)
        await run(driver, 'INSERT INTO users (name, "a""ge") VALUES (\'a\', 1)')
        await run(driver, "DELETE FROM users")
    before = await text_of(driver)
    options = {"table_name": "people", "renamed_from": "users"}
    keyed = model(
        "User",
        title=(str, field(primary_key=True, renamed_from="name")),
        __dataflow__=options,
    )
    failing = migrator(driver, keyed, drops=["people.name", "people.age"])
    n_steps = len((await failing.plan()).steps)

    def fail(_: object, number: int, __: float) -> None:
        if number == n_steps - 1:
            problem = "for the test"
            raise MigrationCheckError("a step", problem)

    with pytest.raises(MigrationCheckError, match="for the test"):
        await failing.apply(FREE, fail)

    assert await text_of(driver) == before
    if driver.dialect.name == "postgresql":
        query = 'INSERT INTO users (name, "a""ge") VALUES (\'b\', 1) RETURNING id'
        assert await run(driver, query) == [(42,)]  # 40 was given, though it is gone


async def test_a_counter_that_goes_down_goes_on(postgres_driver: Driver) -> None:
    driver = postgres_driver
    counted = "(MINVALUE -9 MAXVALUE 9 START 9 INCREMENT -1)"
    await run(
        driver,
        f"CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY {counted} "
        'PRIMARY KEY, name text COLLATE "C" NOT NULL)',
    )
    await run(driver, "INSERT INTO users (name) VALUES ('a'), ('b')")
    before = await text_of(driver)
    keyed = model("User", name=(str, field(primary_key=True)))
    await migrate(driver, keyed)
    await migrator(driver, keyed).roll_back()

    ledger = ("dataflow_migration",)
    after = [line for line in await text_of(driver) if not any(map(line.count, ledger))]
    assert [line for line in before if line not in after] == []
    query = "INSERT INTO users (name) VALUES ('c') RETURNING id"
    assert await run(driver, query) == [(7,)]


async def test_values_that_rows_were_given_are_taken_back(driver: Driver) -> None:
    """The unique constraint of before comes back only if the rows do."""
    old = model("User", k=int, code=(int | None, field(unique=True)), nick=str | None)
    new = model(
        "User",
        k=int,
        code=(int, 3),  # for both, so that it cannot be unique any more
        nick=(str, field(default_factory=lambda: "none")),
        __dataflow__={"soft_delete": True, "unique": [["code"]]},
    )
    await migrate(driver, old)
    await run(driver, "INSERT INTO users (k, nick) VALUES (1, NULL), (2, 'none')")
    before = await text_of(driver)
    with pytest.raises((MigrationFailedError, MigrationCheckError), match="same code"):
        await migrate(driver, new)
    assert await text_of(driver) == before
    rows = await run(driver, "SELECT k, code, nick FROM users ORDER BY k")
    assert rows == [(1, None, None), (2, None, "none")]
    leftover = "SELECT 1 FROM pg_class WHERE relname LIKE 'dataflow_filled%'"
    if driver.dialect.name == "postgresql":
        assert await run(driver, leftover) == []


async def test_a_role_without_temporary_tables_migrates_without_notes(
    postgres_driver: Driver, bridge: Bridge
) -> None:
    url = postgres_driver.url
    role = f"plain_{url.database}"
    for text in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT CREATE, USAGE ON SCHEMA public TO {role}",
        f"REVOKE TEMPORARY ON DATABASE {url.database} FROM PUBLIC",
    ):
        await run(postgres_driver, text)
    as_role = f"SET SESSION AUTHORIZATION {role}"
    driver = connect(url, bridge, pool_size=1)
    async with driver.acquire() as connection:
        await connection.run([Statement(as_role)])
    await migrate(driver, model("User", name=str, nick=str | None))
    await run(driver, "INSERT INTO users (name) VALUES ('a')")
    with capture_logs() as logs:
        await migrate(driver, model("User", name=str, nick=(str, "none")))
    rows = await run(driver, "SELECT nick FROM users")
    await driver.aclose()
    await run(postgres_driver, f"DROP OWNED BY {role} CASCADE")
    await run(postgres_driver, f"DROP ROLE {role}")

    assert rows == [("none",)]
    told = [each for each in logs if each["event"] == "backfill_cannot_be_undone"]
    assert [each["table"] for each in told] == ['"users"']
