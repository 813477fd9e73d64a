"""From any models to any others: the database gets there, and rows stay what they were."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from evolving import FREE, migrator, model, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dataflow.drivers import Driver
from dataflow.models import Digits, Model, declare, field
from dataflow.schema import Column, TableShape, ensure_table, read_schema, shape_of
from dataflow.schema.migration.planning import PREFIX, is_quarantined
from dataflow.schema.migration.writing import literal, quote
from dataflow.sql import column_type

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

NAMES = ("a", "b", "order", "Größe", "camelCase", "x" * 50)
TYPES: list[Any] = [
    int,
    str,
    bool,
    float,
    bytes,
    date,
    datetime,
    UUID,
    Decimal,
    Annotated[Decimal, Digits(10, 2)],
]
DEFAULTS: dict[Any, Any] = {
    int: -3,
    str: "it's \\ 100%",
    bool: True,
    float: 1.5,
    bytes: b"\x00'",
    date: date(2024, 2, 29),
    UUID: UUID(int=7),
    Decimal: Decimal("1.50"),
}
SAMPLES: dict[tuple[Any, bool], Any] = {
    **{(type_, False): value for type_, value in DEFAULTS.items()},
    (Decimal, True): Decimal("2.50"),
    (datetime, False): datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
}
numbers = count()


@st.composite
def generations(draw: st.DrawFn) -> list[type]:
    """Draw three models of one table, whose fields keep their types."""
    table = f"Table {next(numbers)} %"
    types = {name: draw(st.sampled_from(TYPES)) for name in NAMES}
    return [_generation(draw, table, types) for _ in range(3)]


def _generation(draw: st.DrawFn, table: str, types: dict[str, Any]) -> type:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    fields: dict[str, Any] = {}
    for name in names:
        type_ = types[name]
        if draw(st.booleans()) or type_ is datetime:
            fields[name] = type_ | None
        elif type_ is UUID and draw(st.booleans()):
            fields[name] = (type_, field(default_factory=uuid4))
        else:
            default = DEFAULTS.get(type_, Decimal(2))
            fields[name] = (type_, field(default=default))
    groups = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    options = {
        "unique": [["id", *each] for each in draw(st.lists(groups, max_size=2))],
        "indexes": draw(st.lists(groups, max_size=2)),
        "table_name": table,
    }
    return model("Anything", **fields, __dataflow__=options)


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


async def rows(driver: Driver, table: TableShape) -> list[dict[str, Any]]:
    names = [f'"{each.name}"' for each in table.columns]
    found = await run(driver, f'SELECT {", ".join(names)} FROM "{table.name}"')  # noqa: S608
    return [
        dict(zip([each.name for each in table.columns], row, strict=True))
        for row in found
    ]


async def the_table(driver: Driver, name: str) -> TableShape:
    schema = await read_schema(driver)
    return next(each for each in schema.tables if each.name == name)


async def insert(driver: Driver, declared: Model) -> None:
    """Insert two rows that hold a value in each field."""
    for key in (1, 2):
        values: dict[str, str] = {"id": str(key)}
        for each in declared.fields:
            if each.name == "id":
                continue
            sample = SAMPLES[each.type.python_type, each.type.digits is not None]
            type_ = column_type(each.type, driver.dialect)
            values[each.column] = literal(sample, each.type, type_, driver.dialect.name)
        names = ", ".join(map(quote, values))
        listed = ", ".join(values.values())
        into = f"INSERT INTO {quote(declared.table)} ({names})"
        await run(driver, f"{into} VALUES ({listed})")


def survives(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether each value of a row is still there, under its name or kept aside."""
    return all(
        value in (new.get(name), *(v for n, v in new.items() if n.startswith(PREFIX)))
        for name, value in old.items()
        if value is not None
    )


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(models=generations(), has_rows=st.booleans())
async def test_any_models_become_any_others_and_rows_stay(
    driver: Driver, *, models: list[type], has_rows: bool
) -> None:
    before: list[dict[str, Any]] = []
    for number, cls in enumerate(models):
        declared = declare(cls)
        wanted = shape_of([declared], driver.dialect).tables[0]
        await migrator(driver, cls, drops=await everything(driver, wanted)).apply(FREE)
        found = await the_table(driver, wanted.name)
        assert plain(found) == plain(wanted)
        assert not (await migrator(driver, cls).check()).steps

        after = await rows(driver, found)
        assert len(after) == len(before)
        assert all(map(survives, before, after))
        if has_rows and not number:
            await insert(driver, declared)
        before = await rows(driver, found)


async def everything(driver: Driver, wanted: TableShape) -> list[str]:
    """Name all columns, so that none is taken for a renamed one."""
    schema = await read_schema(driver)
    return [
        f"{table.name}.{column.name}"
        for table in schema.tables
        for column in table.columns
        if table.name == wanted.name
    ]


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(models=generations())
async def test_alembic_finds_no_difference_to_a_table_that_was_never_migrated(
    driver: Driver, reference: Driver, models: list[type]
) -> None:
    for cls in models:
        wanted = shape_of([declare(cls)], driver.dialect).tables[0]
        await migrator(driver, cls, drops=await everything(driver, wanted)).apply(FREE)
    await ensure_table(reference, declare(models[-1]))

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
    return found
