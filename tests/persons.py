"""A shop whose customers are persons."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4

from dataflow import PII, DataFlow, field

LONG_AGO = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)


def declare_shop(db: DataFlow, **of_orders: Any) -> None:
    """Declare a shop: customers have orders, these have lines, and others sell."""

    @db.model
    class Seller:
        name: str

        __dataflow__ = {"subject": False}  # noqa: RUF012  as users write it

    @db.model
    class Customer:
        mail: Annotated[str, PII("email")] = field(unique=True)
        name: Annotated[str | None, PII("name")]
        born: Annotated[date | None, PII("birthday")]
        code: Annotated[UUID, PII("id")] = field(default_factory=uuid4, unique=True)
        notes: Annotated[list[str], PII("notes")] = field(default_factory=list)
        extra: Annotated[dict[str, Any], PII("notes")] = field(default_factory=dict)
        income: Annotated[Decimal, PII("income")] = Decimal(0)
        friend_id: int | None = field(default=None, references="Customer")
        seller_id: int | None = field(default=None, references=Seller)

        __dataflow__ = {  # noqa: RUF012  likewise
            "subject": True,
            "soft_delete": True,
            "versioned": True,
        }

    @db.model
    class Order:
        customer_id: int = field(references=Customer)
        address: Annotated[str, PII("address", erased="nowhere")]
        made: datetime = LONG_AGO
        total: int = 0

        __dataflow__ = {"legal_hold": "held", **of_orders}  # noqa: RUF012  likewise
        held: bool | None = None

    @db.model
    class Line:
        order_id: int = field(references=Order)
        what: str

        __dataflow__ = {"soft_delete": True}  # noqa: RUF012  likewise


async def fill(db: DataFlow) -> tuple[dict[str, Any], dict[str, Any]]:
    """Store two customers; return them."""
    seller = await db["Seller"].create(name="Sam")
    ann = await db["Customer"].create(
        mail="ann@example.org",
        name="Ann",
        born=date(1990, 1, 2),
        notes=["likes tea"],
        extra={"shoe": 38},
        income=Decimal("1.50"),
        seller_id=seller["id"],
    )
    bob = await db["Customer"].create(
        mail="bob@example.org", name="Bob", friend_id=ann["id"]
    )
    for customer in (ann, ann, bob):
        order = await db["Order"].create(
            customer_id=customer["id"], address="High Street 1", total=3
        )
        await db["Line"].create(order_id=order["id"], what="tea")
        line = await db["Line"].create(order_id=order["id"], what="milk")
        await db["Line"].delete(line["id"])
    return ann, bob
