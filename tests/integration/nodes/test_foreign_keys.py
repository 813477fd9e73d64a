"""What foreign keys refuse and do, by every way of writing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.drivers import Driver
from dataflow.errors import (
    DataFlowError,
    ForeignKeyError,
    ModelError,
    PartlyStoredError,
)
from dataflow.sql import Statement


class Customer:
    name: str
    code: str | None = field(unique=True)


class Shop:
    city: str


class Order:
    customer_id: int = field(references="Customer")
    shop_id: int | None = field(references="Shop", on_delete="set_null")
    code: str | None = field(
        references="Customer.code",
        on_update="cascade",
        relation="coded",
        backref="coded_orders",
    )
    number: int = field(unique=True)


class Line:
    order_id: int = field(references="Order", on_delete="cascade")
    product: str


class Receipt:
    line_id: int = field(references="Line", on_delete="restrict")


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield


@pytest.fixture
async def shop(db: DataFlow) -> DataFlow:
    for cls in (Receipt, Line, Order, Customer, Shop):
        db.model(cls)
    for name in ("Ada", "Bob"):
        await db["Customer"].create(name=name, code=name.lower())
    await db["Shop"].create(city="Bern")
    await db["Order"].create(customer_id=1, shop_id=1, code="ada", number=1)
    return db


CUSTOMER = ("orders", ("customer_id",), "customers", False)
SHOP = ("orders", ("shop_id",), "shops", False)
CODED = ("orders", ("code",), "customers", False)
USED = ("orders", ("customer_id",), "customers", True)


def facts(error: object) -> tuple[Any, ...]:
    assert isinstance(error, ForeignKeyError), error
    assert error.kind == "foreign_key"
    return error.table, error.fields, error.target, error.is_referenced


async def refusal(call: Awaitable[object]) -> tuple[Any, ...]:
    with pytest.raises(ForeignKeyError) as caught:
        await call
    assert caught.value.__cause__ is not None
    return facts(caught.value)


async def count(db: DataFlow, model: str) -> int:
    return await db[model].count()


async def test_a_create_names_the_field_that_refers_to_nothing(shop: DataFlow) -> None:
    orders = shop["Order"]

    assert await refusal(orders.create(customer_id=9, number=2)) == CUSTOMER
    assert await refusal(orders.create(customer_id=1, shop_id=9, number=2)) == SHOP
    assert await refusal(orders.create(customer_id=1, code="x", number=2)) == CODED
    assert await count(shop, "Order") == 1


async def test_an_update_names_the_field_that_refers_to_nothing(shop: DataFlow) -> None:
    orders = shop["Order"]

    assert await refusal(orders.update(1, customer_id=9)) == CUSTOMER
    assert (
        await refusal(orders.update(filter={"number": 1}, fields={"shop_id": 9}))
        == SHOP
    )
    assert (await orders.read(1))["customer_id"] == 1


async def test_an_upsert_names_the_field_that_refers_to_nothing(shop: DataFlow) -> None:
    upsert = shop["Order"].upsert

    assert await refusal(upsert(where={"number": 2}, create={"customer_id": 9})) == (
        CUSTOMER
    )
    assert (
        await refusal(
            upsert(
                where={"number": 1}, create={"customer_id": 1}, update={"shop_id": 9}
            )
        )
        == SHOP
    )


async def test_a_delete_says_who_refers_to_the_row(shop: DataFlow) -> None:
    assert await refusal(shop["Customer"].delete(1)) == USED
    assert await refusal(shop["Customer"].delete(filter={"name": "Ada"})) == USED
    assert (await shop["Customer"].delete(2))["deleted"]
    assert await count(shop, "Customer") == 1


async def test_what_refers_to_rows_that_would_go_too_keeps_them(
    shop: DataFlow,
) -> None:
    await shop["Line"].create(order_id=1, product="a")
    await shop["Receipt"].create(line_id=1)
    with pytest.raises(ForeignKeyError):
        await shop["Order"].delete(1)

    assert await refusal(shop["Line"].delete(1)) == (
        "receipts",
        ("line_id",),
        "lines",
        True,
    )
    assert await count(shop, "Line") == 1


async def test_a_changed_key_that_others_refer_to_is_told_or_passed_on(
    shop: DataFlow,
) -> None:
    await shop["Customer"].update(1, code="eve")
    assert (await shop["Order"].read(1))["code"] == "eve"

    found = await refusal(shop["Customer"].update(1, fields={"id": 7}))
    assert found == USED


async def test_rows_that_refer_to_it_go_with_it_or_forget_it(shop: DataFlow) -> None:
    await shop["Line"].create(order_id=1, product="a")
    await shop["Shop"].delete(1)
    assert (await shop["Order"].read(1))["shop_id"] is None

    await shop["Order"].delete(1)
    assert await count(shop, "Line") == 0


@pytest.mark.parametrize("n_rows", [3, 2_000])
async def test_a_bulk_create_stores_nothing_that_refers_to_nothing(
    shop: DataFlow, n_rows: int
) -> None:
    rows = [{"order_id": 1, "product": "a"}] * n_rows
    rows[n_rows // 2] = {"order_id": 9, "product": "b"}

    assert await refusal(shop["Line"].bulk_create(rows)) == (
        "lines",
        ("order_id",),
        "orders",
        False,
    )
    assert await count(shop, "Line") == 0


async def test_a_bulk_create_goes_on_without_what_refers_to_nothing(
    shop: DataFlow,
) -> None:
    rows = [{"order_id": 1 + 8 * (place % 2), "product": "a"} for place in range(20)]
    result = await shop["Line"].bulk_create(rows, error_strategy="continue")

    assert (result["inserted"], result["failed"]) == (10, 10)
    assert await count(shop, "Line") == 10


async def test_other_bulk_nodes_refuse_alike(shop: DataFlow) -> None:
    orders, customers = shop["Order"], shop["Customer"]
    calls = (
        orders.bulk_update(filter={"number": 1}, update={"customer_id": 9}),
        orders.bulk_update(data=[{"id": 1, "customer_id": 9}]),
        orders.bulk_upsert([{"number": 2, "customer_id": 9}], key_fields=["number"]),
        customers.bulk_delete(filter={"name": "Ada"}),
        customers.bulk_delete(ids=[2, 1]),
    )
    for call in calls:
        with pytest.raises((ForeignKeyError, PartlyStoredError)) as caught:
            await call
        assert isinstance(caught.value, ForeignKeyError)
    assert await count(shop, "Customer") == 2
    assert (await orders.read(1))["customer_id"] == 1


async def test_a_bulk_change_of_a_key_blames_nothing_of_its_own(db: DataFlow) -> None:
    class Guest:
        host_id: int | None = field(references="Customer")
        code: str = field(unique=True)

    class Stay:
        guest_code: str = field(references="Guest.code")

    for cls in (Customer, Guest, Stay):
        db.model(cls)
    await db["Guest"].create(code="a")
    await db["Stay"].create(guest_code="a")
    with pytest.raises(ForeignKeyError) as caught:
        await db["Guest"].bulk_update(filter={"code": "a"}, update={"code": "b"})

    assert caught.value.target in ("", "guests")
    assert caught.value.is_referenced is not False


async def test_writes_that_wait_together_each_hear_of_their_own(
    shop: DataFlow, at_once: Callable[..., Awaitable[list[Any]]]
) -> None:
    created = await at_once(
        [
            shop["Order"].create(customer_id=1 + 8 * (n % 2), number=n)
            for n in range(10, 20)
        ]
    )
    deleted = await at_once([shop["Customer"].delete(key) for key in (1, 2, 1)])

    assert [isinstance(each, DataFlowError) for each in created] == [False, True] * 5
    assert {facts(each) for each in created[1::2]} == {CUSTOMER}
    assert [isinstance(each, DataFlowError) for each in deleted] == [True, False, True]
    assert facts(deleted[0]) == USED


async def test_a_row_and_the_one_that_refers_to_it_go_in_one_statement(
    db: DataFlow,
) -> None:
    class Employee:
        boss_id: int | None = field(references="Employee")

    db.model(Employee)
    await db["Employee"].bulk_create([{"id": 1}, {"id": 2, "boss_id": 1}])
    await db["Employee"].bulk_delete(filter={}, confirmed=True)

    assert await count(db, "Employee") == 0


async def test_a_model_that_refers_to_an_unknown_one_waits_for_it(db: DataFlow) -> None:
    db.model(Line)
    with pytest.raises(ModelError, match="no model 'Order'"):
        await db["Line"].create(order_id=1, product="a")
    for cls in (Order, Customer, Shop):
        db.model(cls)

    with pytest.raises(ForeignKeyError):
        await db["Line"].create(order_id=1, product="a")


async def test_a_foreign_key_that_no_model_knows_is_told_as_the_database_does(
    shop: DataFlow, other: Driver
) -> None:
    text = "CREATE TABLE visits (customer_id int REFERENCES customers)"
    async with other.acquire() as connection:
        await connection.run(
            [Statement(text), Statement("INSERT INTO visits VALUES (2)")]
        )
    with pytest.raises(ForeignKeyError) as caught:
        await shop["Customer"].delete(2)

    assert caught.value.is_referenced is None
    assert "refers to a row that is not there, or would no longer be" in str(
        caught.value
    )
    assert await count(shop, "Customer") == 2


async def test_one_of_two_foreign_keys_to_the_same_row_is_named(db: DataFlow) -> None:
    class Parcel:
        sender_id: int = field(references="Customer", backref="sent")
        receiver_id: int = field(references="Customer", backref="received")

    for cls in (Customer, Parcel):
        db.model(cls)
    for name in ("Ada", "Bob"):
        await db["Customer"].create(name=name)
    await db["Parcel"].create(sender_id=1, receiver_id=2)

    expected = [("parcels", (name,), "customers", True) for name in
                ("sender_id", "receiver_id")]  # fmt: skip
    assert await refusal(db["Customer"].delete(1)) == expected[0]
    assert await refusal(db["Customer"].delete(2)) == expected[1]


async def test_what_cannot_be_found_out_leaves_the_refusal_as_it_is(
    db: DataFlow, other: Driver
) -> None:
    class Visit:
        customer_id: int = field(references="Customer")
        shop_id: int = field(references="Shop")

    async with other.acquire() as connection:
        await connection.run(
            [
                Statement("CREATE TABLE customers (id int PRIMARY KEY)"),
                Statement("INSERT INTO customers VALUES (1)"),
                Statement("CREATE TABLE wards (customer_id int REFERENCES customers)"),
                Statement("INSERT INTO wards VALUES (1)"),
                # Visits cannot be asked for the column that they should have.
                Statement("CREATE TABLE visits (id int)"),
            ]
        )
    for cls in (Customer, Shop, Visit):
        db.model(cls)
    with pytest.raises(ForeignKeyError) as caught:
        await db["Customer"].delete(1)

    assert caught.value.is_referenced is None


async def test_a_model_that_is_not_ready_leaves_a_refusal_as_it_is(
    db: DataFlow, other: Driver
) -> None:
    class Visit:
        sponsor_id: int = field(references="Sponsor")
        customer_id: int = field(references="Customer")

    for cls in (Customer, Visit):
        db.model(cls)
    await db["Customer"].create(name="Ada")
    async with other.acquire() as connection:
        await connection.run(
            [
                Statement("CREATE TABLE wards (customer_id int REFERENCES customers)"),
                Statement("INSERT INTO wards VALUES (1)"),
            ]
        )
    for call in (
        db["Customer"].delete(1),
        db["Customer"].bulk_delete(filter={"name": "Ada"}),
    ):
        with pytest.raises(ForeignKeyError) as caught:
            await call
        assert caught.value.is_referenced is None
