from __future__ import annotations

import subprocess
import sys
from typing import Any

import anyio
import pytest

from dataflow.drivers import Driver
from dataflow.errors import DriverError, ModelError
from dataflow.models import Family, Model, declare, field
from dataflow.schema import ensure_table
from dataflow.sql import Statement, table_of


class Order:
    customer_id: int = field(references="Customer")


class Customer:
    city_id: int | None = field(references="City")


class City:
    mayor_id: int | None = field(references="Customer", relation="mayor")


class Other:
    text: str


SCRIPT = """
import sys, anyio
from dataflow.drivers import connect, open_bridge, parse_url
from dataflow.models import Family, declare, field
from dataflow.schema import ensure_table

class Order:
    customer_id: int = field(references="Customer")

class Customer:
    city_id: int | None = field(references="City")

class City:
    mayor_id: int | None = field(references="Customer", relation="mayor")

family = Family()
for cls in (Order, Customer, City):
    family.add(declare(cls, family))

async def main(url, first):
    async with open_bridge() as bridge:
        driver = connect(parse_url(url), bridge)
        print(await ensure_table(driver, family.models[first]))
        await driver.aclose()

anyio.run(main, *sys.argv[1:])
"""


def models(*classes: type) -> dict[str, Model]:
    family = Family()
    for each in classes:
        family.add(declare(each, family))
    return dict(family.models)


async def tables(driver: Driver) -> set[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        if driver.dialect.name == "sqlite"
        else "SELECT relname::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([Statement(query, returns_rows=True)])
    return {row[0] for row in result.rows}


async def run(driver: Driver, *texts: str) -> None:
    async with driver.acquire() as connection:
        await connection.run([Statement(text) for text in texts])


ALL = {"orders", "customers", "cities"}


@pytest.mark.parametrize("first", ["Order", "Customer", "City"])
async def test_tables_that_refer_to_each_other_are_created_together(
    driver: Driver, first: str
) -> None:
    found = models(Order, Customer, City, Other)

    assert await ensure_table(driver, found[first])
    assert await tables(driver) == ALL
    for model in found.values():
        assert await ensure_table(driver, model) == (model.name == "Other")


async def test_foreign_keys_hold_from_the_start(driver: Driver) -> None:
    found = models(Order, Customer, City)
    await ensure_table(driver, found["Order"])
    for name, value in (("Order", "customer_id"), ("City", "mayor_id")):
        insert = table_of(found[name], driver.dialect).insert({value: 9})
        with pytest.raises(DriverError):
            async with driver.acquire() as connection:
                await connection.run([insert])


async def test_a_table_of_others_is_referred_to_and_left_alone(driver: Driver) -> None:
    await run(driver, "CREATE TABLE customers (id bigint PRIMARY KEY)")
    found = models(Order, Customer, City)

    assert not await ensure_table(driver, found["Customer"])
    assert await tables(driver) == ALL


async def test_of_many_tasks_one_creates_each_table(driver: Driver) -> None:
    created: list[bool] = []
    found = list(models(Order, Customer, City).values())

    async def ensure(model: Model) -> None:
        created.append(await ensure_table(driver, model))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for place in range(21):
                tasks.start_soon(ensure, found[place % 3])

    assert sum(created) == 1
    assert await tables(driver) == ALL


@pytest.mark.slow
def test_of_many_processes_one_creates_them_all(database_url: str) -> None:
    processes = [
        subprocess.Popen(  # noqa: S603  # our own
            [sys.executable, "-c", SCRIPT, database_url, first],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in ("Order", "Customer", "City", "Order")
    ]
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert sorted(answers) == ["False"] * 3 + ["True"]


async def test_a_model_declared_anew_is_created_once(driver: Driver) -> None:
    family = Family()
    for cls in (City, Customer, Order, Customer):
        family.add(declare(cls, family))
    old = declare(Customer, family)

    assert await ensure_table(driver, old)
    assert await tables(driver) == ALL


async def test_what_cannot_be_referred_to_leaves_no_table_behind(
    driver: Driver,
) -> None:
    await run(driver, "CREATE TABLE customers (id bigint)")
    found = models(Order, Customer, City)
    if driver.dialect.name == "postgresql":
        with pytest.raises(DriverError, match="unique"):
            await ensure_table(driver, found["Order"])
        assert await tables(driver) == {"customers"}
    else:  # it looks when a row is written
        assert await ensure_table(driver, found["Order"])


async def test_an_unknown_model_is_refused_before_anything_is_created(
    driver: Driver,
) -> None:
    found: Any = models(Order)
    with pytest.raises(ModelError, match="no model 'Customer'"):
        await ensure_table(driver, found["Order"])

    assert await tables(driver) == set()
