"""From one set of models to the next, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow.drivers import Driver
from dataflow.models import declare, field
from dataflow.schema.migration import Migrator, Permission, Risk, target_of
from dataflow.sql import Statement

FREE = Permission(limit=Risk.CRITICAL)


def model(name: str, /, **fields: Any) -> type:
    """Return a class that declares a model; a tuple is an annotation and a value."""
    body: dict[str, Any] = {"__annotations__": {}}
    for each, said in fields.items():
        if each.startswith("__"):
            body[each] = said
        elif isinstance(said, tuple):
            body["__annotations__"][each], body[each] = said
        else:
            body["__annotations__"][each] = said
    return type(name, (), body)


def migrator(driver: Driver, *classes: type, drops: tuple[str, ...] = ()) -> Migrator:
    target = target_of(map(declare, classes), driver.dialect)
    return Migrator(driver, target, drops=drops)


async def migrate(driver: Driver, *classes: type, drops: tuple[str, ...] = ()) -> Any:
    return await migrator(driver, *classes, drops=drops).apply(FREE)


async def run(driver: Driver, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    async with driver.acquire() as connection:
        statement = Statement(text, parameters, returns_rows=True)
        (result,) = await connection.run([statement])
    return [tuple(row) for row in result.rows]


async def test_it_goes_from_nothing_to_models_and_then_finds_nothing_to_do(
    driver: Driver,
) -> None:
    user = model(
        "User", name=str, email=(str, field(unique=True)), age=(int, field(index=True))
    )
    entry = await migrate(driver, user)
    again = migrator(driver, user)

    assert entry.state == "applied"
    assert not await again.plan()
    assert not await again.check()
    assert await again.apply(FREE) is None


@pytest.mark.parametrize("has_rows", [True, False])
async def test_it_changes_everything_at_once_and_keeps_the_rows(
    driver: Driver, has_rows: bool
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
    assert entry.state == "applied"
