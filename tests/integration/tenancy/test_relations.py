"""Related rows are those of the same tenant, and those that are not deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tenants import Place

from dataflow import DataFlow, field
from dataflow.errors import FilterError, ForeignKeyError, ModelError, UnknownFieldError


@pytest.fixture
async def db(place: Place) -> AsyncIterator[DataFlow]:
    db = DataFlow(place.url, pool_size=4, **place.options)

    @db.model
    class Country:
        code: str = field(primary_key=True)

    @db.model
    class Customer:
        code: str = field(primary_key=True)
        country_code: str | None = field(default=None, references="Country")

        __dataflow__ = {"multi_tenant": True, "soft_delete": True}  # noqa: RUF012

    @db.model
    class Order:
        n: int
        customer_code: str | None = field(
            default=None, references="Customer", on_delete="cascade"
        )

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    @db.model
    class Line:
        order_id: int = field(references="Order")
        what: str

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012  as users write it

    async with db:
        await db["Country"].create(code="ch")
        for n, tenant in enumerate(("t1", "t2")):
            with db.tenant(tenant):
                await db["Customer"].create(code="c", country_code="ch")
                order = await db["Order"].create(n=n, customer_code="c")
                await db["Line"].create(order_id=order["id"], what=tenant)
        yield db
    await db.aclose()


async def test_related_rows_are_those_of_the_tenant(db: DataFlow) -> None:
    with db.tenant("t2"):
        read = await db["Customer"].read("c", include=["orders.lines", "country"])
        listed = await db["Order"].list(include=["customer", "lines"])
        streamed = [row async for row in db["Line"].stream(include=["order"])]

    assert [order["n"] for order in read["orders"]] == [1]
    assert [line["what"] for line in read["orders"][0]["lines"]] == ["t2"]
    assert read["country"] == {"code": "ch"}
    assert listed["records"][0]["customer"]["tenant_id"] == "t2"
    assert [line["order"]["n"] for line in streamed] == [1]


async def test_filters_ask_for_related_rows_of_the_tenant(db: DataFlow) -> None:
    with db.tenant("t2"):
        assert await db["Customer"].count({"orders": {"$some": {"n": 0}}}) == 0
        assert await db["Customer"].count({"orders": {"$some": {"n": 1}}}) == 1
        assert await db["Customer"].count({"orders": {"$none": {"n": 0}}}) == 1
        assert await db["Line"].count({"order.customer.country_code": "ch"}) == 1
        groups = await db["Order"].aggregate({"n": {"$count": "*"}})
        assert groups["groups"] == [{"n": 1}]


async def test_rows_of_others_cannot_be_referred_to(db: DataFlow) -> None:
    with db.tenant("t1"):
        foreign = (await db["Order"].list())["records"][0]["id"]
    with db.tenant("t2"):
        with pytest.raises(ForeignKeyError) as caught:
            await db["Line"].create(order_id=foreign, what="stolen")
        with pytest.raises(ForeignKeyError) as unknown:
            await db["Line"].create(order_id=9_999, what="none")
        with pytest.raises(ForeignKeyError):
            await db["Line"].bulk_create([{"order_id": foreign, "what": "stolen"}])

    assert str(caught.value) == str(unknown.value)
    assert caught.value.fields == ("order_id",)


async def test_what_belongs_to_all_does_not_lead_to_tenants(db: DataFlow) -> None:
    with pytest.raises(FilterError):
        await db["Country"].list(filter={"customers": {"$some": {"code": "c"}}})
    with pytest.raises(UnknownFieldError):
        await db["Country"].list(include=["customers"])


async def test_deleted_rows_are_related_to_nothing(db: DataFlow) -> None:
    with db.tenant("t1"):
        await db["Customer"].delete("c")
        listed = await db["Order"].list(include=["customer"])
        assert listed["records"][0]["customer"] is None
        assert await db["Order"].count({"customer.code": "c"}) == 0
        await db["Customer"].restore("c")
        assert await db["Order"].count({"customer.code": "c"}) == 1
        # What goes for good takes what refers to it along, in its tenant.
        await db["Line"].bulk_delete(filter={}, confirmed=True)
        await db["Customer"].delete("c", permanent=True)
        assert await db["Order"].count() == 0
    with db.tenant("t2"):
        assert await db["Order"].count() == 1


@pytest.mark.parametrize(
    ("options", "on_delete", "to", "problem"),
    [
        ({}, "no_action", "Customer", "belongs to all of them"),
        ({"multi_tenant": True}, "set_null", "Customer", "would take the tenant"),
        ({"multi_tenant": True}, "cascade", "Customer.mail", "may come twice"),
    ],
)
def test_foreign_keys_that_would_lead_elsewhere_are_refused(
    sqlite_url: str, options: dict[str, Any], on_delete: Any, to: str, problem: str
) -> None:
    db = DataFlow(sqlite_url)

    @db.model
    class Customer:
        code: str = field(primary_key=True)
        mail: str = field(unique=True)

        __dataflow__ = {"multi_tenant": True, "soft_delete": True}  # noqa: RUF012

    with pytest.raises(ModelError, match=problem):

        @db.model
        class Order:
            customer_code: str | None = field(
                default=None, references=to, relation="customer", on_delete=on_delete
            )

            __dataflow__ = options

    db.close()
