"""What type checkers must accept; nothing here runs."""

from __future__ import annotations

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

from dataflow.drivers import Driver
from dataflow.models import (
    Digits,
    Field,
    FieldType,
    Index,
    Kind,
    Model,
    declare,
    field,
    is_template,
)
from dataflow.schema import ensure_table, table_statements
from dataflow.sql import SQLITE, RowCodec, Statement, codec

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
