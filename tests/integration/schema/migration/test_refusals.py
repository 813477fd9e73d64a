"""What is not known, not allowed or not possible is refused, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from evolving import FREE, migrate, migrator, model, run

from dataflow.drivers import Driver
from dataflow.errors import (
    DataFlowError,
    HistoryEditedError,
    MigrationBlockedError,
    MigrationChangedError,
    MigrationCheckError,
    MigrationRiskError,
    NothingToRollBackError,
    RiskLevelError,
)
from dataflow.models import Family, declare, field
from dataflow.schema import Schema, ensure_table, read_schema
from dataflow.schema.migration import Permission, Risk

USER = model("User", name=str, nick=str | None)


async def prepare(driver: Driver, *rows: str) -> Schema:
    """Make the table with rows, and return the schema."""
    await migrate(driver, USER)
    for row in rows:
        await run(driver, f"INSERT INTO users (name, nick) VALUES {row}")  # noqa: S608
    return await read_schema(driver)


async def refused(
    driver: Driver, kind: type[DataFlowError], *classes: type, **permitted: Any
) -> DataFlowError:
    """See that a migration is refused and that nothing was changed; return why."""
    before, entries = await read_schema(driver), await migrator(driver).entries()
    permission = Permission(
        limit=permitted.get("limit", Risk.CRITICAL), agreed=permitted.get("agreed")
    )
    with pytest.raises(kind) as error:
        await migrator(driver, *classes).apply(permission)

    assert await read_schema(driver) == before
    assert await migrator(driver).entries() == entries
    return error.value


async def test_what_looks_renamed_is_asked_for(driver: Driver) -> None:
    await prepare(driver)
    changed = model("User", name=str, alias=str | None)
    error = await refused(driver, MigrationBlockedError, changed)

    assert isinstance(error, MigrationBlockedError)
    assert "field(renamed_from='nick')" in error.problems[0]
    assert "drops=['users.nick']" in error.problems[0]
    assert await migrate(driver, changed, drops=["users.nick"])


async def test_what_is_riskier_than_allowed_tells_what_is_safer(driver: Driver) -> None:
    await prepare(driver, "('a', 'b')")
    changed = model("User", name=str)
    error = await refused(driver, MigrationRiskError, changed, limit=Risk.MEDIUM)

    assert isinstance(error, MigrationRiskError)
    assert (error.limit, error.risk) == ("MEDIUM", "HIGH")
    assert "drop column nick" in error.steps[0]
    assert "remove the field" in error.alternatives[0]
    assert "max_risk_level='HIGH'" in str(error)


async def test_rows_without_a_value_are_refused_unless_there_is_a_default(
    driver: Driver,
) -> None:
    await prepare(driver, "('a', NULL)")
    error = await refused(
        driver, MigrationBlockedError, model("User", name=str, nick=str | None, age=int)
    )
    assert "give the field a default" in str(error)
    await refused(driver, MigrationCheckError, model("User", name=str, nick=str))
    await migrate(driver, model("User", name=str, nick=(str, "none")))

    assert await run(driver, "SELECT nick FROM users") == [("none",)]


async def test_rows_that_are_not_unique_are_refused(driver: Driver) -> None:
    await prepare(driver, "('a', NULL)", "('a', NULL)")
    unique = model("User", name=(str, field(unique=True)), nick=str | None)
    error = await refused(driver, MigrationCheckError, unique)
    assert "the same name" in str(error)
    nullable = model("User", name=str, nick=(str | None, field(unique=True)))

    assert await migrate(driver, nullable)  # NULL is not equal to NULL


async def test_a_plan_that_is_not_the_one_agreed_to_is_not_done(driver: Driver) -> None:
    await prepare(driver)
    changed = model("User", name=str, nick=str | None, age=(int, 0))
    error = await refused(driver, MigrationChangedError, changed, agreed="another")

    assert isinstance(error, MigrationChangedError)
    plan = await migrator(driver, changed).plan()
    permission = Permission(agreed=plan.checksum)
    assert await migrator(driver, changed).apply(permission)
    assert await migrator(driver, changed).apply(permission) is None


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE dataflow_migrations SET steps = '[]' WHERE number = 1",
        "UPDATE dataflow_migrations SET steps = 'x' WHERE number = 1",
        "UPDATE dataflow_migrations SET checksum = 'x' WHERE number = 1",
        "UPDATE dataflow_migrations SET names = '[\"by_hand\"]' WHERE number = 1",
        "UPDATE dataflow_migrations SET parent = 'x' WHERE number = 2",
        "DELETE FROM dataflow_migrations WHERE number = 1",
    ],
)
async def test_a_history_that_was_edited_is_refused(driver: Driver, edit: str) -> None:
    await prepare(driver)
    changed = model("User", name=str, nick=str | None, age=(int, 0))
    await migrate(driver, changed)
    await run(driver, edit)
    for call in (
        migrator(driver, USER).plan,
        migrator(driver, USER).entries,
        migrator(driver, USER).roll_back,
        # Though there is nothing to do.
        migrator(driver, changed).plan,
        lambda: migrate(driver, changed),
    ):
        with pytest.raises(HistoryEditedError, match="edited"):
            await call()


async def test_tables_of_others_and_what_models_cannot_ask_for_stay(
    driver: Driver,
) -> None:
    for text in (
        "CREATE TABLE others (x integer)",
        "CREATE TABLE users (id integer PRIMARY KEY, name varchar(20) NOT NULL "  # noqa: ISC004  # one statement
        "DEFAULT 'x', age integer CHECK (age > 0))",
        "CREATE INDEX by_hand ON users (age)",
        "INSERT INTO users (id) VALUES (1)",
    ):
        await run(driver, text)
    user = model("User", name=str, age=int | None)
    plan = await migrator(driver, user).plan()
    await migrate(driver, user)
    schema = await read_schema(driver)

    assert any("by_hand" in note for note in plan.notes)
    assert {each.name for each in schema.tables} == {"others", "users"}
    users = schema.by_name["users"]
    assert [each.name for each in users.indexes] == ["by_hand"]  # type: ignore[union-attr]
    assert len(users.checks) == 1  # type: ignore[union-attr]
    assert users.columns[1].default is not None
    assert await run(driver, "SELECT name FROM users") == [("x",)]


async def test_a_table_is_dropped_only_by_name_and_kept(driver: Driver) -> None:
    await prepare(driver, "('a', 'b')")
    other = model("Other", size=int)
    await migrate(driver, other)
    assert await run(driver, "SELECT name FROM users") == [("a",)]
    await migrate(driver, other, drops=["users"])

    assert await migrator(driver, other).quarantined() == ("_dataflow_dropped_users",)
    assert await run(driver, "SELECT name FROM _dataflow_dropped_users") == [("a",)]
    with pytest.raises(MigrationBlockedError, match="is the table of a model"):
        await migrate(driver, other, drops=["others"])
    back = model(
        "User",
        name=str,
        nick=str | None,
        __dataflow__={"renamed_from": "_dataflow_dropped_users"},
    )
    await migrate(driver, back)
    assert await run(driver, "SELECT name FROM users") == [("a",)]
    await migrate(driver, model("User", name=str))
    assert await migrator(driver, back).purge() == ("users._dataflow_dropped_nick",)
    assert await migrator(driver, back).quarantined() == ()
    assert await migrator(driver, back).purge() == ()
    with pytest.raises(NothingToRollBackError, match="purge users"):
        await migrator(driver, back).roll_back()


async def test_what_was_dropped_twice_is_kept_twice(driver: Driver) -> None:
    await prepare(driver, "('a', 'b')")
    for _ in range(2):
        await migrate(driver, model("User", name=str))
        await migrate(driver, USER)

    kept = await migrator(driver, USER).quarantined()
    assert kept == (
        "users._dataflow_dropped_nick",
        "users._dataflow_dropped_nick_2",
    )


async def test_without_a_migration_nothing_is_rolled_back(driver: Driver) -> None:
    with pytest.raises(NothingToRollBackError):
        await migrator(driver, USER).roll_back()


def test_a_level_of_risk_that_is_none_names_the_nearest() -> None:
    with pytest.raises(RiskLevelError, match="did you mean 'MEDIUM'"):
        Risk.named("medum")
    assert Risk.named("low") is Risk.LOW is Risk.named(Risk.LOW)


async def test_drift_is_found_whatever_the_ledger_says(driver: Driver) -> None:
    await prepare(driver)
    assert not await migrator(driver, USER).plan()
    await run(driver, "ALTER TABLE users ADD COLUMN more integer")
    plan = await migrator(driver, USER).plan()

    assert [step.operation for step in plan.steps] == ["quarantine_column"]
    assert (await migrator(driver, USER).check()).checksum == plan.checksum
    assert await migrator(driver, USER).apply(FREE)


async def test_a_constraint_is_ours_though_its_table_and_column_were_renamed(
    driver: Driver,
) -> None:
    """SQLite keeps the name a constraint had before."""
    family = Family()
    old = declare(model("User", name=(str, field(unique=True)), age=int), family)
    await ensure_table(driver, old)
    options = {"table_name": "people", "renamed_from": "users"}
    alias = str, field(unique=True, renamed_from="name")
    await migrate(driver, model("User", alias=alias, age=int, __dataflow__=options))
    free = model("User", alias=str, age=int, __dataflow__=options)
    plan = await migrator(driver, free).plan()
    await migrate(driver, free)

    assert plan.notes == ()
    (table,) = (
        each for each in (await read_schema(driver)).tables if each.name == "people"
    )
    assert table.uniques == ()
