"""A table that was made from a model reads back as the shape of the model."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow import DataFlow, field
from dataflow.drivers import Driver
from dataflow.models import Digits, Model, NaiveDatetime, Native, declare
from dataflow.schema import ensure_table, read_schema, shape_of
from dataflow.sql import Statement

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    street: str


LIST: Any = list
ORDERED: list[Any] = [
    int,
    float,
    Decimal,
    Annotated[Decimal, Digits(10, 2)],
    Annotated[Decimal, Digits(30, 5)],
    bool,
    str,
    bytes,
    date,
    time,
    datetime,
    NaiveDatetime,
    timedelta,
    UUID,
    Color,
    Literal["a", "b"],
    Literal[1, 2],
    *(Annotated[int, Native(name)] for name in ("smallint", "integer")),
    *(Annotated[str, Native(name)] for name in ("character varying", "bpchar", "inet")),
    Annotated[Decimal, Native("NUMERIC")],
    Annotated[Decimal, Digits(10, 2), Native("NUMERIC")],
]
OTHER: list[Any] = [
    dict[str, Any],
    list[Any],
    Address,
    Annotated[Any, Native("json")],
    Annotated[Any, Native("jsonb")],
    *(LIST[type_] for type_ in ORDERED),
]
NAMES = ("name", "order", "select", "Größe", "camelCase", "x" * 60, "a_b", "a", "b")
KEYS: list[Any] = [int, str, UUID, datetime, Annotated[Decimal, Digits(10, 2)]]
numbers = count()


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a model of a table that was never there."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    is_ordered = {name: draw(st.booleans()) for name in names}
    annotations: dict[str, Any] = {}
    for name in names:
        type_ = draw(st.sampled_from(ORDERED if is_ordered[name] else OTHER))
        annotations[name] = type_ | None if draw(st.booleans()) else type_
    key: list[str] = []
    for number in range(draw(st.integers(0, 2))):
        key.append(f"key_{number}")
        annotations[key[-1]] = draw(st.sampled_from(KEYS))
    ordered = [name for name in names if is_ordered[name]]
    groups = st.lists(
        st.sampled_from(ordered or key or ["id"]), min_size=1, unique=True
    )
    some = st.lists(groups, max_size=3)
    options = {
        "primary_key": key,
        "unique": draw(some),
        "indexes": draw(st.lists(indexes(groups), max_size=3)),
        "timestamps": draw(st.booleans()),
        "multi_tenant": draw(st.booleans()),
        "soft_delete": draw(st.booleans()),
        "versioned": draw(st.booleans()),
        "table_name": f"Table {next(numbers)} %",
    }
    body = {"__annotations__": annotations, "__dataflow__": options}
    return declare(type("Anything", (), body))


@st.composite
def indexes(draw: st.DrawFn, groups: st.SearchStrategy[list[str]]) -> dict[str, Any]:
    """Draw an index, with a name of its own or without."""
    index: dict[str, Any] = {"fields": draw(groups), "unique": draw(st.booleans())}
    if draw(st.booleans()):
        index["name"] = f'an "index" {next(numbers)}'
    return index


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(model=models())
async def test_a_new_table_reads_back_as_the_shape_of_its_model(
    driver: Driver, model: Model
) -> None:
    await ensure_table(driver, model)
    read = await read_schema(driver)
    (table,) = (each for each in read.tables if each.name == model.table)
    async with driver.acquire() as connection:
        await connection.run(
            [Statement(f"DROP TABLE {driver.dialect.quote(model.table)}")]
        )

    assert table == shape_of([model], driver.dialect).tables[0]


async def test_foreign_keys_read_back_as_the_models_have_them(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as db:

        @db.model
        class Customer:
            code: str = field(unique=True)

        @db.model
        class Order:
            customer_id: int = field(references="Customer", on_delete="cascade")
            code: str | None = field(
                references="Customer.code",
                on_update="set_null",
                relation="by_code",
                backref="orders_by_code",
                default=None,
            )
            parent_id: int | None = field(references="Order", default=None)

        await db.initialize()
        shape = await db.inspect_schema_async()
        models = [db[name].model for name in db.list_models()]

        assert shape.table("orders").foreign_keys
        assert shape == shape_of(models, db._database.url.dialect)
    async with DataFlow(database_url, existing_schema_mode=True) as db:
        await db.reconstruct_models_from_registry_async()
        customer = await db["Customer"].create(code="a")
        await db["Order"].create(customer_id=customer["id"])
        page = await db["Order"].list(include=["customer"])

        assert page["records"][0]["customer"]["code"] == "a"
