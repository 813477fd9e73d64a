"""From one set of models to the next, on both databases."""

from __future__ import annotations

import pytest
from evolving import FREE, migrate, migrator, model, run

from dataflow.drivers import Driver
from dataflow.errors import DuplicateKeyError, MigrationCheckError
from dataflow.models import field


async def test_it_goes_from_nothing_to_models_and_then_finds_nothing_to_do(
    driver: Driver,
) -> None:
    user = model(
        "User", name=str, email=(str, field(unique=True)), age=(int, field(index=True))
    )
    entry = await migrate(driver, user)
    again = migrator(driver, user)

    assert entry is not None
    assert entry.state == "applied"
    assert not await again.plan()
    assert not await again.check()
    assert await again.apply(FREE) is None


@pytest.mark.parametrize("has_rows", [True, False])
async def test_it_changes_everything_at_once_and_keeps_the_rows(
    driver: Driver, *, has_rows: bool
) -> None:
    await migrate(
        driver,
        model(
            "User",
            name=str,
            nick=str,
            note=(str, field(index=True)),
            age=int,
            old=int | None,
        ),
    )
    if has_rows:
        await run(
            driver,
            "INSERT INTO users (name, nick, note, age, old) VALUES ('a', 'b', 'c', 1, 2)",
        )
    entry = await migrate(
        driver,
        model(
            "User",
            name=(str, field(unique=True)),
            alias=(str, field(renamed_from="nick")),
            note=str | None,
            age=str,
            active=(bool, True),
            __dataflow__={"indexes": [["alias", "age"]]},
        ),
    )

    rows = await run(
        driver, "SELECT name, alias, note, age, _dataflow_dropped_old FROM users"
    )
    assert rows == ([("a", "b", "c", "1", 2)] if has_rows else [])
    if has_rows:
        assert [
            bool(row[0]) for row in await run(driver, "SELECT active FROM users")
        ] == [True]
    assert entry is not None
    assert entry.state == "applied"


async def test_rows_are_not_deleted_because_deleted_ones_are_kept_from_now_on(
    driver: Driver,
) -> None:
    await migrate(driver, model("User", name=(str, field(unique=True))))
    await run(driver, "INSERT INTO users (name) VALUES ('a'), ('b')")
    options = {"soft_delete": True, "versioned": True, "timestamps": True}
    user = model("User", name=(str, field(unique=True)), __dataflow__=options)
    await migrate(driver, user)

    query = "SELECT name, deleted_at, version, created_at IS NULL FROM users"
    assert await run(driver, query) == [("a", None, 1, False), ("b", None, 1, False)]


async def test_what_is_unique_goes_on_when_deleted_rows_are_no_longer_kept(
    driver: Driver,
) -> None:
    options = {"soft_delete": True}
    user = model("User", name=(str, field(unique=True)), __dataflow__=options)
    await migrate(driver, user)
    await run(driver, "INSERT INTO users (name) VALUES ('a')")
    await migrate(driver, model("User", name=(str, field(unique=True))))

    plan = await migrator(driver, model("User", name=(str, field(unique=True)))).check()
    assert not plan
    with pytest.raises(DuplicateKeyError):
        await run(driver, "INSERT INTO users (name) VALUES ('a')")


async def test_twins_among_rows_that_are_not_deleted_are_found_before(
    driver: Driver,
) -> None:
    options = {"soft_delete": True}
    await migrate(driver, model("User", name=str, __dataflow__=options))
    moment = "2024-02-29T00:00:00.000000+00:00"
    values = f"('a', NULL), ('a', '{moment}'), ('b', NULL), ('b', NULL)"
    await run(driver, f"INSERT INTO users (name, deleted_at) VALUES {values}")  # noqa: S608
    unique = model("User", name=(str, field(unique=True)), __dataflow__=options)
    with pytest.raises(MigrationCheckError, match="the same name"):
        await migrate(driver, unique)
    await run(driver, "DELETE FROM users WHERE name = 'b'")

    assert await migrate(driver, unique)
