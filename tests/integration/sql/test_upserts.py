"""Upserts tell exactly which rows they inserted, on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Connection, Driver
from dataflow.models import declare, field
from dataflow.schema import ensure_table
from dataflow.sql import POSTGRESQL, Statement, Table, parse, table_of

# What a statement does not depend on the event loop.
pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Stock:
    sku: str = field(unique=True)
    amount: int = 0
    note: str | None = None


class Rate:
    value: Decimal
    valid_from: int
    note: str
    __dataflow__: ClassVar = {"unique": [["value", "valid_from"]]}


class Counted:
    sku: str = field(unique=True)
    amount: int = 0
    __dataflow__: ClassVar = {"versioned": True}


STOCK, RATE, COUNTED = declare(Stock), declare(Rate), declare(Counted)
NAMES = ("sku", "amount")


@pytest.fixture
async def stock(driver: Driver) -> Table:
    """Give the table, with one row in it."""
    await ensure_table(driver, STOCK)
    table = table_of(STOCK, driver.dialect)
    await run(driver, table.insert({"sku": "there", "amount": 1}))
    return table


async def run(driver: Driver, *statements: Statement) -> list[Any]:
    async with driver.acquire() as connection:
        return await connection.run(statements)


async def amounts(driver: Driver) -> dict[str, int]:
    table = table_of(STOCK, driver.dialect)
    (result,) = await run(driver, table.select(names=NAMES))
    return {row[0]: row[1] for row in result.rows}


def row(sku: str, amount: int) -> dict[str, Any]:
    return {"sku": sku, "amount": amount}


async def test_many_upserts_of_rows_with_versions_tell_how_many_are_new(
    driver: Driver,
) -> None:
    await ensure_table(driver, COUNTED)
    table = table_of(COUNTED, driver.dialect)
    names = ("sku", "amount", "version")
    rows = [{**row(sku, 1), "version": 1} for sku in "ab"]
    created: list[int] = []
    for count in (1, 2):
        statements = table.upsert_many(names, rows[:count], ("sku",), ("amount",))
        created.append(table.count_created(await run(driver, *statements)))

    assert created == [1, 1]


async def test_a_batch_tells_how_many_rows_it_inserted(
    driver: Driver, stock: Table
) -> None:
    rows = [
        row("new", 1),
        row("there", 2),
        row("new", 3),
        row("there", 4),
        row("last", 5),
    ]
    results = await run(driver, *stock.upsert_many(NAMES, rows, ("sku",), ("amount",)))

    assert stock.count_created(results) == 2
    assert await amounts(driver) == {"new": 3, "there": 4, "last": 5}


async def test_a_batch_that_changes_nothing_still_tells_what_was_there(
    driver: Driver, stock: Table
) -> None:
    rows = [row("new", 1), row("there", 2), row("new", 3)]
    results = await run(driver, *stock.upsert_many(NAMES, rows, ("sku",), ()))

    assert stock.count_created(results) == 1
    assert await amounts(driver) == {"new": 1, "there": 1}


async def test_skipped_rows_yield_no_key(driver: Driver, stock: Table) -> None:
    rows = [row("new", 1), row("there", 2), row("new", 3)]
    statement = stock.insert_many(NAMES, rows, conflict=("sku",), returning=True)
    (result,) = await run(driver, statement)

    assert len(result.rows) == 1
    assert await amounts(driver) == {"new": 1, "there": 1}


async def test_rows_are_read_by_name_whatever_their_order(
    driver: Driver, stock: Table
) -> None:
    rows = [{"amount": 7, "sku": "new"}, {"sku": "newer", "amount": 8}]
    await run(driver, stock.insert_many(NAMES, rows))

    assert await amounts(driver) == {"there": 1, "new": 7, "newer": 8}


async def test_one_upsert_tells_whether_it_inserted(
    driver: Driver, stock: Table
) -> None:
    for sku, amount, created in (
        ("new", 1, True),
        ("new", 2, False),
        ("there", 3, False),
    ):
        statements = stock.upsert(row(sku, amount), ("sku",), {"amount": amount})
        results = await run(driver, *statements)
        values = stock.decode(results[-1].rows[0][: len(STOCK.fields)])

        assert stock.was_created(results) is created
        assert (values["sku"], values["amount"]) == (sku, amount)
    assert await amounts(driver) == {"there": 3, "new": 2}


async def test_an_upsert_without_changes_returns_the_row_that_is_there(
    driver: Driver, stock: Table
) -> None:
    results = await run(driver, *stock.upsert(row("there", 9), ("sku",), {}))

    assert not stock.was_created(results)
    assert stock.decode(results[-1].rows[0][:4])["amount"] == 1


async def test_what_one_transaction_inserted_it_then_updates(
    driver: Driver, stock: Table
) -> None:
    async with driver.acquire() as connection, connection.transaction():
        told = [await upsert(connection, stock, row("new", 1)) for _ in range(3)]

    assert told == [True, False, False]


async def upsert(
    connection: Connection, table: Table, values: Mapping[str, Any]
) -> bool:
    statements = table.upsert(values, ("sku",), {"amount": values["amount"]})
    return table.was_created(await connection.run(statements))


async def test_a_deleted_row_is_inserted_again(driver: Driver, stock: Table) -> None:
    async with driver.acquire() as connection, connection.transaction():
        await connection.run([stock.delete(parse({"sku": "there"}, STOCK))])

        assert await upsert(connection, stock, row("there", 5))
        assert not await upsert(connection, stock, row("there", 6))


async def test_a_savepoint_that_was_rolled_back_does_not_show(
    driver: Driver, stock: Table
) -> None:
    async def undone(connection: Connection) -> None:
        async with connection.transaction():
            assert await upsert(connection, stock, row("new", 1))
            raise ZeroDivisionError

    async with driver.acquire() as connection, connection.transaction():
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await undone(connection)

        assert await upsert(connection, stock, row("new", 1))


@pytest.mark.postgres
@pytest.mark.parametrize("lock", ["KEY SHARE", "NO KEY UPDATE", None])
async def test_a_row_that_others_lock_or_locked_counts_as_updated(
    drivers: tuple[Driver, Driver], lock: str | None
) -> None:
    _, driver = drivers
    await ensure_table(driver, STOCK)
    stock = table_of(STOCK, driver.dialect)
    await run(driver, stock.insert(row("there", 1)))
    query = Statement('SELECT 1 FROM "stocks" FOR KEY SHARE', returns_rows=True)
    async with driver.acquire() as other, driver.acquire() as connection:
        async with other.transaction():
            await other.run([query])
            if lock == "KEY SHARE":  # is held still, and becomes a multixact
                assert not await upsert(connection, stock, row("there", 5))
        if lock == "NO KEY UPDATE":
            async with connection.transaction():
                await connection.run([Statement(query.text.replace("KEY SHARE", lock))])
                assert not await upsert(connection, stock, row("there", 5))
        assert not await upsert(connection, stock, row("there", 6))
        assert await upsert(connection, stock, row("new", 6))


async def test_numbers_that_are_equal_conflict_however_they_are_written(
    driver: Driver,
) -> None:
    await ensure_table(driver, RATE)
    table = table_of(RATE, driver.dialect)
    names, conflict = ("value", "valid_from", "note"), ("value", "valid_from")
    rows = [
        {"value": Decimal(text), "valid_from": 1, "note": text}
        for text in ("1.5", "1.50", "15", "1.500")
    ]
    results = await run(driver, *table.upsert_many(names, rows, conflict, ("note",)))
    (found,) = await run(driver, table.select(order=table.key_order, names=("note",)))

    assert table.count_created(results) == 2
    assert [each[0] for each in found.rows] == ["1.500", "15"]


BATCHES = st.lists(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), max_size=8),
    max_size=4,
)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=BATCHES)
async def test_any_batches_count_as_a_dictionary_does(
    driver: Driver, batches: Sequence[Sequence[tuple[str, int]]]
) -> None:
    await ensure_table(driver, STOCK)
    table = table_of(STOCK, driver.dialect)
    await run(driver, table.delete(parse({}, STOCK)))
    expected: dict[str, int] = {}
    for batch in batches:
        rows = [row(sku, amount) for sku, amount in batch]
        created = len({sku for sku, _ in batch} - expected.keys())
        expected.update(batch)
        results = await run(
            driver, *table.upsert_many(NAMES, rows, ("sku",), ("amount",))
        )

        assert table.count_created(results) == created
    assert await amounts(driver) == expected


async def test_a_repaired_sequence_goes_on_behind_the_highest_key(
    driver: Driver, stock: Table
) -> None:
    repair = stock.repair_key()
    for key, expected in ((10, 11), (5, 12)):
        await run(driver, stock.insert({"id": key, **row(f"given {key}", 0)}))
        if repair is not None:
            await run(driver, repair)
        (result,) = await run(driver, stock.insert(row(f"made {key}", 0)))

        assert stock.decode(result.rows[0])["id"] == expected
    assert (repair is None) is (driver.dialect is not POSTGRESQL)


async def test_repairing_an_empty_table_changes_nothing(driver: Driver) -> None:
    await ensure_table(driver, STOCK)
    table = table_of(STOCK, driver.dialect)
    repair = table.repair_key()
    if repair is not None:
        await run(driver, repair)
    (result,) = await run(driver, table.insert(row("first", 0)))

    assert table.decode(result.rows[0])["id"] == 1
