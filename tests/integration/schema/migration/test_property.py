"""From any models to any others: the database gets there, and rows stay what they were."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from evolving import FREE, run, text_of
from generations import Generation, Slot, generations, is_same_value, rows
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dataflow.drivers import Driver
from dataflow.errors import (
    DuplicateKeyError,
    MigrationBlockedError,
    MigrationCheckError,
    MigrationFailedError,
)
from dataflow.models import Family, Model, declare
from dataflow.schema import Column, TableShape, ensure_table, read_schema
from dataflow.schema.migration import Migrator, target_of
from dataflow.schema.migration.planning import PREFIX, is_quarantined
from dataflow.schema.migration.writing import literal, quote
from dataflow.sql import Statement, codec, column_type

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
EXAMPLES = int(os.environ.get("DATAFLOW_TEST_EXAMPLES", "20"))
"""Histories that are tried; more of them find rarer mistakes."""
IS_SEARCH = EXAMPLES > 20
"""Whether to look for what is not known: the few of every day are always the same."""
PHASES = [each for each in Phase if each is not Phase.shrink]
"""What is found is shown as it was drawn: making it small takes longer than finding it."""


# -- models -----------------------------------------------------------------------


def models_of(generation: Generation) -> tuple[Model, Model]:
    """Return `Parent` and `Anything` of a generation."""
    family = Family()
    made = [declare(cls, family) for cls in generation.classes()]
    for each in made:
        family.add(each)
    return made[0], made[1]


async def migrator(driver: Driver, models: Sequence[Model]) -> Migrator:
    """Return what migrates to models; nothing is taken for renamed that is not."""
    schema = await read_schema(driver)
    drops = [f"{t.name}.{column.name}" for t in schema.tables for column in t.columns]
    # A table that is renamed is called by its new name.
    drops += [
        f"{model.table}.{column.name}"
        for model in models
        for t in schema.tables
        for column in t.columns
    ]
    return Migrator(driver, target_of(models, driver.dialect), drops=drops)


async def clear(driver: Driver) -> None:
    """Drop all that is there: each example begins with nothing."""
    if driver.dialect.name == "postgresql":
        texts = ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"]
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        drops = [f"DROP TABLE {quote(name)}" for (name,) in await run(driver, query)]
        texts = ["PRAGMA foreign_keys = OFF", *drops, "PRAGMA foreign_keys = ON"]
    async with driver.acquire() as connection:
        for text in texts:
            await connection.run([Statement(text)])


# -- shapes -----------------------------------------------------------------------


def plain(table: TableShape) -> dict[str, Any]:
    """Return what models can ask for, in an order of its own."""

    def of_column(column: Column) -> Column:
        return replace(column, default=None, field_type=None)

    kept = [each for each in table.columns if not is_quarantined(each.name)]
    return {
        "columns": sorted(map(of_column, kept), key=lambda each: each.name),
        "key": table.key and table.key.columns,
        "uniques": {each.columns for each in table.uniques},
        "indexes": {replace(each, name="") for each in table.indexes},
        "foreign keys": {replace(each, name=None) for each in table.foreign_keys},
    }


async def check_shapes(driver: Driver, models: Sequence[Model]) -> None:
    wanted = target_of(models, driver.dialect).schema
    found = await read_schema(driver)
    for table in wanted.tables:
        assert plain(found.table(table.name)) == plain(table)
    left = await (await migrator(driver, models)).check()
    assert [step.description for step in left.steps] == []


async def check_others(driver: Driver, table: str) -> None:
    """See that the check of others is where their column is now."""
    found = (await read_schema(driver)).table(table)
    (check,) = found.checks
    assert f"{PREFIX}others" in check.condition


# -- rows -------------------------------------------------------------------------


async def insert(driver: Driver, model: Model, row: dict[str, Any]) -> None:
    """Insert a row that holds these values."""
    said = {
        each.column: literal(
            row[each.name],
            each.type,
            column_type(each.type, driver.dialect),
            driver.dialect.name,
        )
        for each in model.fields
        if row.get(each.name) is not None
    }
    names = ", ".join(map(quote, said))
    into = f"INSERT INTO {quote(model.table)} ({names})"
    await run(driver, f"{into} VALUES ({', '.join(said.values())})")


def extras(model: Model) -> dict[str, Any]:
    """Return values of the fields that options add."""
    found: dict[str, Any] = {}
    for name in (model.created_field, model.updated_field):
        if name is not None:
            found[name] = datetime(2020, 1, 1, tzinfo=UTC)
    if model.version_field is not None:
        found[model.version_field] = 4
    if model.tenant_field is not None:
        found[model.tenant_field] = "t"
    return found


async def fill(
    driver: Driver, generation: Generation, drawn: Sequence[dict[str, Any]]
) -> None:
    """Insert rows into both tables."""
    parent, anything = models_of(generation)
    for number, values in enumerate(drawn, 1):
        key: dict[str, Any] = {"k1": number, "k2": f"k{number}"}
        if parent.generated_key is not None:
            key["id"] = number
        await insert(driver, parent, key)
        row = {
            **key,
            **extras(anything),
            **values,
            "ref1": number,
            "ref2": f"k{number}",
        }
        with suppress(DuplicateKeyError):  # as it was drawn
            await insert(driver, anything, row)


async def rows_of(driver: Driver, model: Model) -> dict[int, dict[str, Any]]:
    """Return rows by ``k1``: fields as Python has them, what is kept aside as stored."""
    shape = (await read_schema(driver)).table(model.table)
    names = [each.name for each in shape.columns]
    listed = ", ".join(map(quote, names))
    query = f"SELECT {listed} FROM {quote(model.table)}"  # noqa: S608
    found: dict[int, dict[str, Any]] = {}
    for raw in await run(driver, query):
        row = dict(zip(names, raw, strict=True))
        for each in model.fields:
            decode = codec(each.type, driver.dialect).decode
            if decode is not None and row[each.column] is not None:
                row[each.column] = decode(row[each.column])
        found[row["k1"]] = row
    return found


def check_row(
    old: dict[str, Any], new: dict[str, Any], before: Generation, after: Generation
) -> None:
    """See that a row holds what it held, and defaults where it held nothing."""
    for number, slot in before.slots.items():
        value, kept = old[slot.name], after.slots.get(number)
        if kept is None:
            aside = [v for name, v in new.items() if name.startswith(PREFIX)]
            assert value is None or len(aside) > 0
        elif value is not None or kept.is_nullable:
            assert is_same_value(value, new[kept.name]), (slot, kept, value, new)
        else:
            check_filled(kept, new[kept.name])
    assert new[f"{PREFIX}others"] == 1
    for number, slot in after.slots.items():
        if number not in before.slots:
            check_filled(slot, new[slot.name])
    assert new.get("deleted_at") == old.get("deleted_at")
    if "versioned" in after.options:
        assert new["version"] == old.get("version", 1)
    assert (new["k1"], new["k2"]) == (old["k1"], old["k2"])
    assert (new["ref1"], new["ref2"]) == (old["ref1"], old["ref2"])


def check_filled(slot: Slot, value: Any) -> None:
    """See that a row has what it gets that was there before its column."""
    model = models_of_slot(slot)
    default = model.field(slot.name).default
    if default is None or default.is_none:
        assert value is None
    elif default.factory is None:
        assert is_same_value(default.value, value)
    else:
        assert value is not None


def models_of_slot(slot: Slot) -> Model:
    generation = Generation(
        table="t",
        before=None,
        slots={0: slot},
        is_paired=False,
        action=None,
        uniques=[],
        indexes=[],
        options={},
    )
    return models_of(generation)[1]


# -- the properties ---------------------------------------------------------------


async def advance(
    driver: Driver, before: Generation, after: Generation, *, has_rows: bool
) -> bool:
    """Migrate from one generation to the next; return whether that was possible."""
    _, old = models_of(before)
    models = models_of(after)
    stored, schema = await rows_of(driver, old), await read_schema(driver)
    try:
        await (await migrator(driver, models)).apply(FREE)
    except (
        MigrationBlockedError,
        MigrationCheckError,
        MigrationFailedError,
    ) as error:
        # Only rows can be in the way. It is known before, but for what they get.
        is_known = not isinstance(error, MigrationFailedError)
        if not has_rows or not (
            is_known or isinstance(error.__cause__, DuplicateKeyError)
        ):
            raise
        note(str(error))
        event(type(error).__name__)
        assert await read_schema(driver) == schema
        assert await rows_of(driver, old) == stored
        return False
    event("applied")
    await check_shapes(driver, models)
    await check_others(driver, models[1].table)
    found = await rows_of(driver, models[1])
    assert found.keys() == stored.keys()
    for key, row in stored.items():
        check_row(row, found[key], before, after)
    return True


@st.composite
def histories(
    draw: st.DrawFn,
) -> tuple[list[Generation], list[dict[str, Any]]]:
    """Draw generations, and the rows that the first one gets; often none."""
    drawn = draw(generations(4))
    return drawn, draw(rows(drawn[0], draw(st.sampled_from([0, 1, 2]))))


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=CHECKS,
    phases=PHASES,
    derandomize=not IS_SEARCH,
)
@given(history=histories())
async def test_any_models_become_any_others_and_rows_stay(
    driver: Driver, history: tuple[list[Generation], list[dict[str, Any]]]
) -> None:
    drawn, stored = history
    await clear(driver)
    await (await migrator(driver, models_of(drawn[0]))).apply(FREE)
    await check_shapes(driver, models_of(drawn[0]))
    table = quote(drawn[0].table)
    others = "ADD COLUMN others integer DEFAULT 1 CHECK (others > 0)"
    await run(driver, f"ALTER TABLE {table} {others}")
    await fill(driver, drawn[0], stored)
    for before, after in pairwise(drawn):
        if not await advance(driver, before, after, has_rows=bool(stored)):
            break


@settings(
    max_examples=EXAMPLES // 2,
    suppress_health_check=CHECKS,
    phases=PHASES,
    derandomize=not IS_SEARCH,
)
@given(history=histories(), place=st.integers(0, 40))
async def test_a_migration_that_fails_anywhere_leaves_the_schema_to_the_byte(
    driver: Driver, history: tuple[list[Generation], list[dict[str, Any]]], place: int
) -> None:
    (before, after, *_), stored = history
    await clear(driver)
    await (await migrator(driver, models_of(before))).apply(FREE)
    await fill(driver, before, stored)
    schema, rows_before = (
        await text_of(driver),
        await rows_of(driver, models_of(before)[1]),
    )
    failing = await migrator(driver, models_of(after))
    n_steps = len((await failing.plan()).steps)

    def fail(_: object, number: int, __: float) -> None:
        if number == place % n_steps:
            problem = "for the test"
            raise MigrationCheckError("a step", problem)

    error: Exception | None = None
    try:
        await failing.apply(FREE, fail)
    except (MigrationBlockedError, MigrationCheckError, MigrationFailedError) as caught:
        error = caught
    event(type(error).__name__)
    if n_steps:
        assert error is not None
        assert await text_of(driver) == schema
        assert await rows_of(driver, models_of(before)[1]) == rows_before


@settings(
    max_examples=EXAMPLES * 2 // 5,
    suppress_health_check=CHECKS,
    phases=PHASES,
    derandomize=not IS_SEARCH,
)
@given(drawn=generations(3))
async def test_alembic_finds_no_difference_to_tables_that_were_never_migrated(
    driver: Driver, reference: Driver, drawn: list[Generation]
) -> None:
    await clear(driver)
    await clear(reference)
    declared = [models_of(each) for each in drawn]
    for each in declared:
        await (await migrator(driver, each)).apply(FREE)
    models = declared[-1]
    await ensure_table(reference, models[0])
    await ensure_table(reference, models[1])

    found = await differences(driver, reference)
    assert found == []


async def differences(driver: Driver, reference: Driver) -> list[Any]:
    """Return what Alembic would do to make the one database like the other."""
    wanted = sa.MetaData()
    async with _engine(reference).connect() as connection:
        await connection.run_sync(wanted.reflect)
    async with _engine(driver).connect() as connection:
        return await connection.run_sync(_compared, wanted)


def _engine(driver: Driver) -> AsyncEngine:
    url, client = driver.url, {"postgresql": "asyncpg", "sqlite": "aiosqlite"}
    is_socket = (url.host or "").startswith("/")
    made = sa.URL.create(
        f"{driver.dialect.name}+{client[driver.dialect.name]}",
        username=url.user,
        password=url.password,
        host=None if is_socket else url.host,
        port=url.port,
        database=url.database,
        query={"host": url.host or ""} if is_socket else {},
    )
    return create_async_engine(made, poolclass=NullPool)


def _compared(connection: sa.Connection, wanted: sa.MetaData) -> list[Any]:
    names = {*wanted.tables}

    def is_compared(_: object, name: str | None, kind: str, *__: object) -> bool:
        is_other = kind == "table" and name not in names
        return not (is_other or (name or "").startswith(PREFIX))

    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": is_compared}
    )
    found: list[Any] = compare_metadata(context, wanted)
    return found if connection.dialect.name != "sqlite" else _but_for_names(found)


def _but_for_names(found: Sequence[Any]) -> list[Any]:
    """Leave out constraints that are taken away and added by another name.

    In SQLite such a name is only a word in the text of the table: nothing asks for it,
    and ``ALTER TABLE … RENAME`` leaves it as it is. To change it the table would have
    to be made anew, with all its rows.
    """

    def facts(constraint: sa.Constraint) -> tuple[object, ...]:
        names = tuple(each.name for each in getattr(constraint, "columns", ()))
        return type(constraint), constraint.table.name, names

    kinds = {"remove_constraint", "add_constraint"}
    said = [(each[0], facts(each[1])) for each in found if each[0] in kinds]
    pairs = {fact for _, fact in said if all((kind, fact) in said for kind in kinds)}
    return [
        each for each in found if not (each[0] in kinds and facts(each[1]) in pairs)
    ]
