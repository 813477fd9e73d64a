from __future__ import annotations

from typing import Any

import pytest

from dataflow.models import declare
from dataflow.sql import Condition, columns, evaluate, parse


class Person:
    name: str
    age: int
    limit: int | None
    tags: list[str]
    meta: dict[str, Any]


PERSON = declare(Person)
p = columns(PERSON)
ROW = {
    "name": "Bo",
    "age": 20,
    "limit": 18,
    "tags": ["a"],
    "meta": {"a": [{"b": 1}]},
}

SAME: list[tuple[Condition, dict[str, Any], bool]] = [
    (p.age == 20, {"age": {"$eq": 20}}, True),
    (p.age != 20, {"age": {"$ne": 20}}, False),
    (p.age > 18, {"age": {"$gt": 18}}, True),
    (p.age >= 18, {"age": {"$gte": 18}}, True),
    (p.age < 18, {"age": {"$lt": 18}}, False),
    (p.age <= 18, {"age": {"$lte": 18}}, False),
    (p.age % 2 == 0, {"age": {"$mod": [2, 0]}}, True),
    (p.age > p.limit, {"age": {"$gt": {"$field": "limit"}}}, True),
    (
        p.age.between(p.limit, 21),
        {"age": {"$between": [{"$field": "limit"}, 21]}},
        True,
    ),
    (p.age.is_in({20}), {"age": {"$in": [20]}}, True),
    (p.name.holds("$icontains", "b"), {"name": {"$icontains": "b"}}, True),
    (p.meta["a"][0]["b"] == 1, {"meta.a.0.b": {"$eq": 1}}, True),
    (
        (p.age > 18) & (p.name == "Al"),
        {"$and": [{"age": {"$gt": 18}}, {"name": {"$eq": "Al"}}]},
        False,
    ),
    (
        (p.age > 30) | {"name": "Bo"},
        {"$or": [{"age": {"$gt": 30}}, {"name": "Bo"}]},
        True,
    ),
    (~(p.age > 30), {"$not": {"age": {"$gt": 30}}}, True),
]


@pytest.mark.parametrize(("condition", "same", "holds"), SAME, ids=repr)
def test_a_condition_is_the_mapping_that_says_the_same(
    condition: Condition,
    same: dict[str, Any],
    holds: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    assert condition == same
    assert len(condition) == 1
    assert evaluate(parse(condition, PERSON), ROW) is holds


def test_a_condition_has_no_truth_that_python_could_ask_for() -> None:
    with pytest.raises(TypeError, match="join with &"):
        bool(p.age > 18)
    with pytest.raises(TypeError, match="join with &"):
        assert 1 < p.age < 5  # pyright: ignore[reportGeneralTypeIssues]


def test_a_column_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(AttributeError, match="did you mean 'name'"):
        _ = p.nmae


def test_only_a_declared_class_has_columns() -> None:
    assert repr(columns(PERSON).age) == "Column('age')"
    assert repr(p.age == 1) == "Condition({'age': {'$eq': 1}})"
    with pytest.raises(TypeError, match="int is not declared"):
        columns(int)
