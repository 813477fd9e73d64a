from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Dict, List  # noqa: UP035  # users write them
from uuid import UUID, uuid4

import msgspec
import pytest

from dataflow.errors import FieldValueError, ModelError, UnknownFieldError
from dataflow.models import Digits, Index, Kind, declare, field


class Address(msgspec.Struct):
    street: str


class User:
    name: str
    email: str
    active: bool = True


def test_a_class_declares_its_fields_in_order_behind_an_id() -> None:
    model = declare(User)

    assert model.name == "User"
    assert model.table == "users"
    assert model.names == ("id", "name", "email", "active")
    assert model.key == ("id",)
    assert model.generated_key == "id"
    assert model.python_type is User
    assert [each.is_required for each in model.fields] == [False, True, True, False]
    assert repr(model) == "<Model User(id, name, email, active)>"


def test_declaring_again_makes_another_model_and_leaves_the_class_alone() -> None:
    first, second = declare(User), declare(User)

    assert first != second
    assert first == first  # noqa: PLR0124  # equal only to itself
    assert len({first, second}) == 2
    assert not hasattr(User, "__dataflow_model__")


def test_a_field_is_found_by_name_or_the_nearest_is_told() -> None:
    model = declare(User)

    assert model.field("email").column == "email"
    with pytest.raises(UnknownFieldError, match="User has no 'emial': did you mean"):
        model.field("emial")
    with pytest.raises(UnknownFieldError, match="UserReadNode has no 'x'"):
        model.field("x", "UserReadNode")


def test_the_declarations_of_the_seed_are_understood() -> None:
    class BlogPost:
        title: str
        content: str
        tags: List[str] = []  # noqa: RUF012, UP006
        tags_json: Dict[str, Any] = {}  # noqa: RUF012, UP006
        phone: str = None  # type: ignore[assignment]
        total: float = 0.0
        due_date: datetime

    model = declare(BlogPost)
    described = {each.name: each.describe() for each in model.fields}

    assert described == {
        "id": "int",
        "title": "str",
        "content": "str",
        "tags": "list[str]",
        "tags_json": "dict",
        "phone": "str or None",
        "total": "float",
        "due_date": "datetime (timezone-aware)",
    }
    assert model.table == "blog_posts"


def test_names_of_a_function_are_found_from_inside_it() -> None:
    class Color(Enum):
        RED = "red"

    class Car:
        color: Color
        at: datetime = None  # type: ignore[assignment]

    model = declare(Car)

    assert model.field("color").type.python_type is Color
    assert model.field("at").type.kind is Kind.DATETIME


def test_a_class_may_be_empty() -> None:
    class Event:
        """Only that it happened."""

    assert declare(Event).names == ("id",)


def test_methods_class_variables_and_dunders_are_no_fields() -> None:
    class Item:
        limit: ClassVar[int] = 5
        bare: ClassVar = 5
        __tablename__: str = "things"
        name: str

        def shout(self) -> str:
            return self.name.upper()

        @property
        def size(self) -> int:
            return len(self.name)

    model = declare(Item)

    assert model.names == ("id", "name")
    assert model.table == "things"


def test_fields_of_a_base_class_come_first() -> None:
    class Base:
        __dataflow__: ClassVar = {"timestamps": True, "table_name": "bases"}
        tenant: str
        note: str = "a"

    class Child(Base):
        name: str
        note: str = "b"

    model = declare(Child)

    assert model.names == ("id", "tenant", "note", "name", "created_at", "updated_at")
    assert model.field("note").default_value() == "b"
    assert model.table == "childs"


def test_a_default_is_a_fresh_value_each_time() -> None:
    class Item:
        tags: list[str] = ["a"]  # noqa: RUF012
        options: dict[str, Any] = {"a": [1]}  # noqa: RUF012
        address: Address = Address("x")
        key: UUID = field(default_factory=uuid4)
        note: str | None
        price: Annotated[Decimal, Digits(5, 2)] = Decimal(1)

    model = declare(Item)

    for name in ("tags", "options", "address"):
        first = model.field(name).default_value()
        assert model.field(name).default_value() == first
        assert model.field(name).default_value() is not first
    key = model.field("key")
    assert key.default_value() != key.default_value()
    assert model.field("note").default_value() is None
    assert str(model.field("price").default_value()) == "1.00"
    assert not any(each.is_required for each in model.fields)


def test_a_field_without_default_has_none_to_give() -> None:
    name = declare(User).field("name")

    assert not name.has_default
    with pytest.raises(LookupError, match=r"User\.name has no default"):
        name.default_value()


def test_a_factory_that_makes_the_wrong_type_is_told() -> None:
    class Item:
        key: UUID = field(default_factory=int)

    with pytest.raises(FieldValueError, match=r"Item\.key takes UUID, not int"):
        declare(Item).field("key").default_value()


def test_a_field_checks_for_its_owner() -> None:
    class Item:
        size: int | None
        count: int

    model = declare(Item)

    assert model.field("size").check(None, "ItemCreateNode") is None
    assert model.field("size").check(5, "ItemCreateNode") == 5
    with pytest.raises(FieldValueError) as caught:
        model.field("size").check("a", "ItemCreateNode")
    assert str(caught.value) == "ItemCreateNode.size takes int or None, not str"
    with pytest.raises(FieldValueError) as caught:
        model.field("count").check(None, "ItemCreateNode")
    assert str(caught.value) == "ItemCreateNode.count takes int, not None"


def test_fields_of_dataclasses_and_msgspec_give_their_defaults() -> None:
    class Plain:
        tags: list[str] = dataclasses.field(default_factory=list[str])
        size: int = dataclasses.field(default=3)
        name: str = dataclasses.field()
        note: str = msgspec.field(default="x")
        more: list[str] = msgspec.field(default_factory=list[str])
        last: str = msgspec.field()

    model = declare(Plain)

    assert model.field("tags").default_value() == []
    assert model.field("size").default_value() == 3
    assert model.field("name").is_required
    assert model.field("note").default_value() == "x"
    assert model.field("more").default_value() == []
    assert model.field("last").is_required


def test_a_dataclass_declares_a_model() -> None:
    @dataclass(slots=True)
    class Item:
        name: str
        tags: list[str] = dataclasses.field(default_factory=list[str])

    model = declare(Item)

    assert model.field("name").is_required
    assert model.field("tags").default_value() == []


def test_timestamps_are_managed_when_declared() -> None:
    class Item:
        created_at: datetime
        updated_at: datetime = None  # type: ignore[assignment]

    model = declare(Item)

    assert (model.created_field, model.updated_field) == ("created_at", "updated_at")
    assert [each.is_managed for each in model.fields] == [False, True, True]
    assert not model.field("created_at").is_required
    assert not model.field("created_at").has_default


def test_timestamps_are_added_when_asked_for() -> None:
    class Item:
        updated_at: datetime
        __dataflow__: ClassVar = {"timestamps": True}

    model = declare(Item)

    assert model.names == ("id", "updated_at", "created_at")
    assert model.options == {"timestamps": True}


def test_a_timestamp_of_another_type_is_not_managed() -> None:
    class Item:
        created_at: str

    assert declare(Item).created_field is None
    assert declare(Item).field("created_at").is_required


def test_a_timestamp_that_is_the_key_is_not_managed() -> None:
    class Item:
        created_at: datetime = field(primary_key=True)

    assert declare(Item).created_field is None


def test_indexes_and_unique_groups_are_kept() -> None:
    class Item:
        email: str = field(unique=True)
        city: str = field(index=True)
        __dataflow__: ClassVar = {"unique": [["email", "city"], "city"]}
        __indexes__: ClassVar = [{"name": "by_city", "fields": ["city", "email"]}]

    model = declare(Item)

    assert model.uniques == (("email",), ("email", "city"), ("city",))
    # The unique group serves as the index that `city` asked for.
    assert model.indexes == (Index(("city", "email"), "by_city"),)
    assert [each.is_unique for each in model.fields] == [False, True, True]


class Wrong:
    """Classes that cannot be declared, each with what is said of it."""

    class Default:
        age: int = "old"  # type: ignore[assignment]

    class DefaultTwice:
        age: int = field(default=1, default_factory=int)

    class FactoryCalled:
        key: UUID = field(default_factory=uuid4())  # type: ignore[arg-type]

    class TooManyDigits:
        price: Decimal = field(digits=(2000, 2))

    class Complex:
        number: complex

    class Unresolved:
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821

    class Created:
        created_at: str
        __dataflow__: ClassVar = {"timestamps": True}

    class Members(Enum):
        A = 1


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (
            Wrong.Default,
            "Default.age cannot be declared: its default takes int, not str",
        ),
        (Wrong.DefaultTwice, "give a default or a default_factory (a callable)"),
        (Wrong.FactoryCalled, "give a default or a default_factory (a callable)"),
        (Wrong.TooManyDigits, "a Decimal has 1 to 1000 digits, not 2000"),
        (Wrong.Complex, "Complex.number cannot be declared: complex is not supported"),
        (
            Wrong.Unresolved,
            (
                "Unresolved cannot be declared: an annotation cannot be resolved "
                "(name 'Nowhere' is not defined)"
            ),
        ),
        (Wrong.Created, "timestamps=True makes it a datetime, not str"),
        (Wrong.Members, "a Struct or an Enum is the type of a field"),
        (Address, "a Struct or an Enum is the type of a field"),
        (5, "5 cannot be declared: a class declares a model"),
    ],
)
def test_what_cannot_be_stored_cannot_be_declared(cls: type, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        declare(cls)

    assert message in str(caught.value)


def test_a_model_is_frozen() -> None:
    model = declare(User)

    with pytest.raises(AttributeError):
        model.table = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        model.field("name").name = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        model.options["x"] = 1  # type: ignore[index]


def test_a_timestamp_default_is_checked_to_be_aware() -> None:
    class Item:
        due: datetime = datetime(2026, 1, 2)  # noqa: DTZ001

    with pytest.raises(ModelError, match="a datetime without timezone"):
        declare(Item)
    Item.due = datetime(2026, 1, 2, tzinfo=UTC)
    assert declare(Item).field("due").has_default
