"""Foreign keys come, go and follow what is renamed, and rows keep their parents."""

from __future__ import annotations

import pytest

from dataflow import DataFlow
from dataflow.errors import ConstraintError, MigrationBlockedError, MigrationCheckError
from dataflow.models import field


def loose(db: DataFlow) -> None:
    """Declare models that do not refer to each other."""

    @db.model
    class Customer:
        name: str

    @db.model
    class Order:
        customer_id: int
        total: int


def tied(db: DataFlow) -> None:
    """Declare the same, with an order that refers to its customer."""

    @db.model
    class Customer:
        name: str

    @db.model
    class Order:
        customer_id: int = field(references="Customer", on_delete="cascade")
        total: int


async def migrate(db: DataFlow) -> None:
    """Migrate, whatever it takes, and see that nothing is left to do."""
    await db.auto_migrate(auto_confirm=True, max_risk_level="CRITICAL")
    assert not await db.migrations.check()


async def test_a_foreign_key_is_added_to_rows_and_taken_off(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        loose(db)
        customer = await db["Customer"].create(name="a")
        await db["Order"].create(customer_id=customer["id"], total=1)
        tied(db)
        await migrate(db)
        with pytest.raises(ConstraintError):
            await db["Order"].create(customer_id=99, total=1)
        loose(db)
        await migrate(db)
        assert await db["Order"].create(customer_id=99, total=2)
        tied(db)
        with pytest.raises(MigrationCheckError, match="are not there"):
            await migrate(db)
        await db["Order"].bulk_delete(filter={"customer_id": 99})
        await migrate(db)
        await db["Customer"].delete(customer["id"])
        assert await db["Order"].count() == 0


async def test_tables_that_refer_to_each_other_are_made_in_any_order(
    database_url: str,
) -> None:
    async with DataFlow(database_url) as db:

        @db.model
        class Leg:
            next_id: int | None = field(references="Leg", default=None)
            trip_id: int | None = field(references="Trip", default=None)

        @db.model
        class Trip:
            first_id: int | None = field(references="Leg", default=None)

        await migrate(db)
        trip = await db[Trip].create()
        leg = await db[Leg].create(trip_id=trip["id"])
        await db[Trip].update(trip["id"], first_id=leg["id"])
        entry = await db.migrations.roll_back()

        assert entry.state == "rolled back"
        assert await db.show_tables_async() == []


async def test_a_parent_that_is_changed_keeps_its_children(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        tied(db)
        customer = await db["Customer"].create(name="a")
        await db["Order"].create(customer_id=customer["id"], total=1)

        @db.model
        class Customer:
            name: str = field(unique=True)
            size: int = field(default_factory=lambda: 3)
            __dataflow__ = {"table_name": "clients", "renamed_from": "customers"}  # noqa: RUF012  # as users write it

        @db.model
        class Order:
            buyer_id: int = field(
                references="Customer", on_delete="cascade", renamed_from="customer_id"
            )
            total: str

        await migrate(db)
        orders = (await db[Order].list())["records"]
        customers = (await db[Customer].list())["records"]
        with pytest.raises(ConstraintError):
            await db[Order].create(buyer_id=9, total="1")

        assert [(each["buyer_id"], each["total"]) for each in orders] == [(1, "1")]
        assert customers == [{"id": 1, "name": "a", "size": 3}]
        await db.migrations.roll_back()
        tied(db)
        assert not (await db.migrations.check()).steps
        assert (await db["Order"].list())["records"][0]["customer_id"] == 1


async def test_a_table_somebody_refers_to_is_not_dropped(database_url: str) -> None:
    async with DataFlow(database_url) as db:
        tied(db)
        await migrate(db)
    async with DataFlow(database_url) as db:
        with pytest.raises(MigrationBlockedError, match="orders refers to it"):
            await db.auto_migrate(auto_confirm=True, drops=["customers"])
        assert (
            await db.auto_migrate(auto_confirm=True, drops=["customers", "orders"])
        )[0]
        assert len(await db.migrations.purge()) == 2
