"""From one set of models to the next, on both databases."""

from __future__ import annotations

import pytest
from evolving import FREE, migrate, migrator, model, run

from dataflow.drivers import Driver
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
