"""What type checkers must accept; nothing here runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    assert_type,
    dataclass_transform,
)
from uuid import UUID, uuid4

import msgspec

from dataflow import (
    PARAMETER,
    AsyncLocalRuntime,
    Column,
    Condition,
    DataFlow,
    LocalRuntime,
    Records,
    References,
    Workflow,
    WorkflowBuilder,
)
from dataflow.actors import Handler, Snapshot, Turn
from dataflow.drivers import Driver
from dataflow.models import (
    Digits,
    Field,
    FieldType,
    Index,
    Kind,
    Model,
    Relation,
    declare,
    field,
    is_template,
)
from dataflow.nodes import RecordStream
from dataflow.schema import ensure_table, table_statements
from dataflow.schema.migration import Entry, Plan
from dataflow.sql import SQLITE, Explanation, RowCodec, Statement, codec

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def model(cls: type[T]) -> type[T]:
    """Stand in for the decorator of `DataFlow`."""
    declare(cls)
    return cls


class Color(Enum):
    RED = "red"


class Address(msgspec.Struct):
    street: str


@model
class Customer:
    __tablename__ = "customers"
    __dataflow__: ClassVar = {"timestamps": True}
    __indexes__: ClassVar = [{"name": "by_email", "fields": ["email"], "unique": True}]

    limit: ClassVar[int] = 5
    id: UUID = field(default_factory=uuid4, primary_key=True)
    email: str = field(unique=True)
    active: bool = True
    balance: Annotated[Decimal, Digits(10, 2)] = Decimal(0)
    credit: Decimal = field(default=Decimal(0), digits=(10, 2))
    born: datetime | None = None
    color: Color = Color.RED
    size: Literal["small", "large"] = "small"
    tags: list[str] = field(default_factory=list[str], index=False)
    address: Address | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    name: str  # required, behind defaults: fields go by name


def declared() -> None:
    made = declare(Customer)
    assert_type(made, Model)
    assert_type(made.fields, tuple[Field, ...])
    assert_type(made.key, tuple[str, ...])
    assert_type(made.generated_key, str | None)
    assert_type(made.indexes, tuple[Index, ...])
    assert_type(made.field("email"), Field)
    assert_type(made.field("email", "CustomerReadNode").type, FieldType)
    assert_type(made.field("email").type.kind, Kind)
    assert_type(is_template("${a.b}"), bool)
    assert_type(Customer.email, str)


def stored(driver: Driver) -> None:
    rows = RowCodec(declare(Customer), SQLITE, ["email"])
    assert_type(rows.names, tuple[str, ...])
    assert_type(rows.encode({"email": "a"}), tuple[Any, ...])
    assert_type(rows.decode(("a",)), dict[str, Any])
    assert_type(table_statements(declare(Customer), driver.dialect), list[Statement])
    codec(declare(Customer).field("email").type, SQLITE)


async def created(driver: Driver) -> None:
    assert_type(await ensure_table(driver, declare(Customer)), bool)


# -- what users write --------------------------------------------------------------------


async def audit(turn: Turn, call_next: Handler) -> None:
    await call_next(turn)


db = DataFlow(
    "sqlite:///app.db",
    auto_migrate=False,
    existing_schema_mode=True,
    enable_model_persistence=False,
    pool_size=5,
    echo=True,
    tdd_mode=False,
    interceptors=[audit],
)


@db.model
class Order:
    customer_id: int
    total: float = 0.0
    status: str = "pending"


def models() -> None:
    assert_type(Order, type[Order])
    assert_type(db.list_models(), list[str])
    assert_type(db.get_model("Order"), type)
    assert_type(db[Order], Records)
    assert_type(db["Order"].model, Model)


def workflows() -> None:
    for flow in (db.workflow("orders"), WorkflowBuilder()):
        assert_type(flow, WorkflowBuilder)
        given = {"customer_id": PARAMETER, "total": 1.0}
        assert_type(flow.add_node("OrderCreateNode", "create", given), str)
        flow.add_node("OrderReadNode", "read", on_error="continue")
        flow.add_node(audit, "function")
        flow.add_connection("create", "id", "read", "record_id", when=bool)
        flow.add_connection("create", "id", "x", "y").add_connection("x", "y", "z", "a")
        assert_type(flow.build(), Workflow)
        results, run_id = LocalRuntime().execute(
            flow.build(), {"create": {"customer_id": 1}}, timeout_s=3
        )
        assert_type(results, dict[str, Any])
        assert_type(run_id, str)


async def calls(workflow: Workflow) -> None:
    async with db as entered:
        assert_type(entered, DataFlow)
        assert_type(db.tree(), Snapshot | None)
    assert_type(await db.initialize(), bool)
    assert_type(
        await db.run(workflow, {"a": {"b": 1}}, deadline=3.0, tenant="t"),
        tuple[dict[str, Any], str],
    )
    assert_type(
        await AsyncLocalRuntime().execute_workflow_async(workflow, {}),
        tuple[dict[str, Any], str],
    )
    await db.aclose()
    db.close()


async def rows() -> None:
    orders = db[Order]
    assert_type(await orders.create(customer_id=1), dict[str, Any])
    assert_type(await orders.read(1, raise_on_not_found=False), dict[str, Any])
    assert_type(await orders.read(filter={"status": "paid"}), dict[str, Any])
    assert_type(await orders.update(1, status="paid"), dict[str, Any])
    assert_type(await orders.delete(1), dict[str, Any])
    assert_type(await orders.list(limit=3, order_by=["-id"]), dict[str, Any])
    assert_type(await orders.count({"total": {"$gt": 1}}), int)
    assert_type(
        await orders.list(distinct=["status"], exclude=["total"]), dict[str, Any]
    )
    assert_type(
        await orders.aggregate(
            {"n": {"$count": "*"}, "sum": {"$sum": "total"}},
            filter={"total": {"$gt": 1}},
            group_by=["status"],
            having={"n": {"$gt": 1}},
            order_by="-sum",
            limit=3,
            offset=1,
        ),
        dict[str, Any],
    )
    await orders.aggregate({"n": {"$count": "*"}}, group_by="status")
    async for record in orders.stream(distinct=("status",), exclude=None):
        assert_type(record, dict[str, Any])
    assert_type(await orders.upsert(where={"id": 1}), dict[str, Any])
    assert_type(await orders.bulk_create([{"customer_id": 1}]), dict[str, Any])
    assert_type(await orders.bulk_update(data=[{"id": 1}]), dict[str, Any])
    assert_type(await orders.bulk_delete(ids=[1]), dict[str, Any])
    assert_type(
        await orders.bulk_upsert([{"id": 1}], key_fields=["id"]), dict[str, Any]
    )
    async for record in orders.stream({"status": "paid"}, fields=["id"], page=10):
        assert_type(record, dict[str, Any])


@db.model
class Guest:
    name: Column[str]
    nickname: Column[str | None]
    age: Column[int] = field(default=18)
    tags: Column[list[str]] = field(default_factory=list)
    meta: Column[dict[str, Any] | None]
    plain: int = 0


async def conditions() -> None:
    assert_type(Guest.age, Column[int])
    assert_type(Guest.age > 18, Condition)
    assert_type(Guest.age >= Guest.age, Condition)
    assert_type((Guest.age > 18) & ~Guest.name.contains("x"), Condition)
    assert_type(Guest.nickname.starts_with("x", any_case=True), Condition)
    assert_type(Guest.tags.has_any(["a"]), Condition)
    assert_type(Guest.meta["a"]["b"] == 1, Condition)
    assert_type(Guest.age % 2 == 0, Condition)
    assert_type(Guest.age.is_in([1, 2]), Condition)
    _ = Guest.age > "18"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    Guest.age.contains("x")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    Guest.name.has_any(["a"])  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert_type(Guest.plain, int)
    assert_type(await db[Guest].explain(filter=Guest.age > 18), Explanation)
    async with db[Guest].stream(Guest.age > 18, batch_size=10, idle_s=5) as stream:
        assert_type(stream, RecordStream)
        assert_type(await anext(stream), dict[str, Any])


DataFlow("sqlite:///:memory:", cursor_key=b"0123456789abcdef")


async def relations(db: DataFlow) -> None:
    @db.model
    class Visit:
        guest_id: int = field(references="Guest", on_delete="cascade", backref="stays")
        shop_id: int | None = field(references=Address, relation="shop", default=None)
        host_id: Annotated[int, References("Guest", on_update="restrict")]

    assert_type(db[Visit].model.relations, Mapping[str, Relation])
    async for record in db[Visit].stream(include=["guest"]):
        assert_type(record, dict[str, Any])


async def migrations(db: DataFlow) -> None:
    success, plans = await db.auto_migrate(dry_run=True)
    assert_type(success, bool)
    assert_type(plans, list[Plan])
    assert_type(plans[0].operations[0].sql_up, str)
    assert_type(await db.migrations.history(), tuple[Entry, ...])
    assert_type(await db.migrations.apply(max_risk_level="LOW"), Entry | None)
    assert_type(field(renamed_from="old"), Any)
