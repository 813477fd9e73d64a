from __future__ import annotations

import pickle
from datetime import datetime
from typing import Any

import pytest

from dataflow import Column, DataFlow, field
from dataflow.errors import FilterError, ModelError
from dataflow.models import declare
from dataflow.sql import Condition, evaluate, parse


def new_db() -> DataFlow:
    return DataFlow("sqlite:///:memory:")


class Base:
    nickname: Column[str | None]
    shoe_size: int = 42


class User(Base):
    name: Column[str]
    age: Column[int] = field(default=3)
    active: bool = True
    real: Column[float]
    born: Column[datetime | None]
    tags: Column[list[str]] = field(default_factory=list)
    sizes: Column[list[int] | None]
    meta: Column[dict[str, Any] | None]

    def full_name(self) -> str:
        return ""


DB = new_db()
MODEL = DB[DB.model(User)].model
ROW = {
    "name": "Bo%",
    "nickname": None,
    "age": 20,
    "tags": ["a", "b"],
    "sizes": [1, 5],
    "meta": {"a": [{"b": 1}]},
    "shoe_size": 42,
    "active": True,
}


@pytest.mark.parametrize(
    ("condition", "same", "holds"),
    [
        (User.age > 18, {"age": {"$gt": 18}}, True),
        (User.name.contains("O"), {"name": {"$contains": "O"}}, False),
        (User.name.contains("O", any_case=True), {"name": {"$icontains": "O"}}, True),
        (User.name.starts_with("B"), {"name": {"$startsWith": "B"}}, True),
        (
            User.name.starts_with("b", any_case=True),
            {"name": {"$istartsWith": "b"}},
            True,
        ),
        (User.name.ends_with("%"), {"name": {"$endsWith": "%"}}, True),
        (
            User.name.ends_with("O%", any_case=True),
            {"name": {"$iendsWith": "O%"}},
            True,
        ),
        (User.name.like(r"B_\%"), {"name": {"$like": r"B_\%"}}, True),
        (User.name.like("b__", any_case=True), {"name": {"$ilike": "b__"}}, True),
        (User.name.matches("^b"), {"name": {"$regex": "^b"}}, False),
        (
            User.name.matches("^b", any_case=True),
            {"name": {"$regex": "^b", "$options": "i"}},
            True,
        ),
        (User.nickname.is_null(), {"nickname": {"$null": True}}, True),
        (User.nickname.is_not_null(), {"nickname": {"$null": False}}, False),
        (User.nickname.in_(["x", None]), {"nickname": {"$in": ["x", None]}}, True),
        (User.age.not_in({20}), {"age": {"$nin": [20]}}, False),
        (User.age % 3 == 2, {"age": {"$mod": [3, 2]}}, True),
        (User.tags.has_all(["a"]), {"tags": {"$all": ["a"]}}, True),
        (User.tags.has_any(["c", "b"]), {"tags": {"$overlap": ["c", "b"]}}, True),
        (User.tags.has_only("ab"), {"tags": {"$containedBy": ["a", "b"]}}, True),
        (User.tags.has_size(2), {"tags": {"$size": 2}}, True),
        (
            User.sizes.has_element({"$gt": 4}),
            {"sizes": {"$elemMatch": {"$gt": 4}}},
            True,
        ),
        (User.meta.has_key("a"), {"meta": {"$hasKey": "a"}}, True),
        (User.meta["a"][0]["b"] == 1, {"meta.a.0.b": {"$eq": 1}}, True),
    ],
    ids=repr,
)
def test_a_column_of_a_class_says_what_the_mapping_says(
    condition: Condition,
    same: dict[str, Any],
    holds: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    assert condition == same
    assert evaluate(parse(condition, MODEL), ROW) is holds


def test_plain_annotations_and_added_fields_have_columns_as_well() -> None:
    columns: Any = User

    assert columns.active.is_in([True]) == {"active": {"$in": [True]}}
    assert repr(columns.id) == "Column('id')"
    assert repr(columns.shoe_size) == "Column('shoe_size')"
    assert Base.shoe_size == 42
    assert User.full_name.__name__ == "full_name"


def test_a_column_says_as_an_annotation_what_its_type_says() -> None:
    said = {each.name: each.describe() for each in MODEL.fields}

    assert said["name"] == "str"
    assert said["nickname"] == "str or None"
    assert said["age"] == "int"
    assert said["tags"] == "list[str]"
    assert MODEL.field("age").default_value() == 3


def test_one_class_may_be_declared_by_several_and_be_a_base() -> None:
    again = new_db()
    again.model(User)

    @again.model
    class Admin(User):
        shoe_size: int
        level: int = 1

    for name in ("User", "Admin"):
        model = again[name].model
        assert model.field("age").default_value() == 3
        assert model.field("active").default_value() is True
        assert model.field("tags").default_value() == []
        assert model.field("shoe_size").default_value() == 42
        assert not model.field("name").has_default
    level: Any = Admin.level
    assert repr(level) == "Column('level')"


def test_a_field_may_be_named_like_its_type() -> None:
    from datetime import date  # noqa: PLC0415  # not known to the module

    class Day:
        date: date  # pyright: ignore[reportGeneralTypeIssues, reportInvalidTypeForm]

    for _ in range(2):
        model = new_db().model(Day).__dict__["__dataflow_model__"]
        assert model.field("date").type.python_type is date


def test_slots_and_other_attributes_are_left_as_they_are() -> None:
    class Slotted:
        __slots__ = ("name",)
        name: str

    class Odd:
        name: str

        def id(self) -> int:
            return 1

    db = new_db()
    slotted: Any = db.model(Slotted)
    assert repr(slotted.name) == "Column('name')"
    new_db().model(Slotted)
    assert callable(db.model(Odd).id)


def test_on_an_instance_it_is_the_default() -> None:
    made = object.__new__(User)
    made.__dict__["age"] = 7

    assert made.age == 7
    assert made.active is True
    with pytest.raises(AttributeError, match="'User' object has no attribute 'name'"):
        _ = made.name


def test_a_column_is_no_sequence_and_no_truth() -> None:
    tags: Any = User.tags
    with pytest.raises(TypeError):
        iter(tags)
    with pytest.raises(TypeError):
        assert "a" in tags
    with pytest.raises(TypeError, match="join with &"):
        assert User.age in (1, 2)


def test_a_class_and_a_condition_can_be_pickled() -> None:
    condition = (User.age > 18) & ~User.name.contains("x")

    assert pickle.loads(pickle.dumps(User)) is User  # noqa: S301  our own
    assert pickle.loads(pickle.dumps(condition)) == condition  # noqa: S301  our own


def test_a_wrong_operand_is_told_where_the_filter_is_used() -> None:
    wrong: Any = "many"
    with pytest.raises(FilterError) as caught:
        parse(User.age > wrong, MODEL)

    assert caught.value.path == "age.$gt"


def test_a_column_without_a_type_is_no_annotation() -> None:
    class Bare:
        name: Column  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]

    with pytest.raises(ModelError, match="a field is int"):
        declare(Bare)
