from __future__ import annotations

import time
from enum import Enum
from typing import Any

import msgspec
import pytest

from dataflow.models import declare
from dataflow.sql import evaluate, matcher, parse


class Color(Enum):
    RED = "red"


class Place(msgspec.Struct, rename="camel"):
    post_code: str


class Person:
    name: str | None
    age: int
    limit: int | None
    tags: list[str] | None
    colors: list[Color]
    meta: dict[str, Any] | None
    place: Place | None
    color: Color = Color.RED


PERSON = declare(Person)
ROW: dict[str, Any] = {
    "name": "Straße",
    "age": -7,
    "limit": None,
    "tags": ["a", "b"],
    "colors": [Color.RED],
    "meta": {"a": {"b": [1, None, "1"]}},
    "place": Place("3000"),
    "color": Color.RED,
}
EMPTY = {**ROW, "name": None, "tags": None, "meta": None, "place": None}

TRUE: list[dict[str, Any]] = [
    {},
    {"age": -7},
    {"age": {"$gt": -8, "$lt": 0, "$gte": -7, "$lte": -7}},
    {"age": {"$in": [1, -7]}},
    {"limit": None},
    {"limit": {"$in": [None]}},
    {"limit": {"$ne": 5}},
    {"age": {"$mod": [4, -3]}},
    {"age": {"$mod": [-4, -3]}},
    {"limit": {"$not": {"$mod": [4, 0]}}},
    {"age": {"$eq": {"$field": "age"}}},
    {"age": {"$field": "age"}},
    {"age": {"$ne": {"$field": "limit"}}},
    {"age": {"$lte": {"$field": "age"}}},
    {"color": "red"},
    {"color": {"$lte": "red"}},
    {"color": {"$in": ["red"]}},
    {"name": {"$icontains": "RA"}},
    {"name": {"$iendsWith": "ẞE"}},
    {"name": {"$istartsWith": "sTR"}},
    {"name": {"$ilike": "s%E"}},
    {"name": {"$like": "S%a_e"}},
    {"name": {"$like": "%t%a%"}},
    {"name": {"$like": "Straße"}},
    {"name": {"$regex": "^str", "$options": "i"}},
    {"name": {"$startsWith": "S", "$endsWith": "e", "$contains": "ß"}},
    {"tags": {"$all": ["a"]}},
    {"tags": {"$overlap": ["b", "c"]}},
    {"tags": {"$containedBy": ["b", "a", "c"]}},
    {"tags": {"$size": 2}},
    {"tags": {"$elemMatch": {"$gt": "a", "$lt": "c"}}},
    {"colors": {"$all": ["red"]}},
    {"colors": {"$elemMatch": "red"}},
    {"meta.a.b.0": 1},
    {"meta.a.b.2": "1"},
    {"meta.a.b.1": None},
    {"meta.a.b.1": {"$exists": True}},
    {"meta.a.b.7": {"$exists": False}},
    {"meta.a.b.1": {"$null": True}},
    {"meta.a.b.1": {"$in": [None, 2]}},
    {"meta.a.b.0": {"$nin": [None, "1"]}},
    {"meta.a.b": {"$size": 3}},
    {"meta": {"$hasKey": "a"}},
    {"place.postCode": "3000"},
    {"$or": [{"age": 1}, {"age": -7}], "$nor": [{"age": 1}]},
    {"$and": [{"age": -7}, {"color": "red"}, {"limit": None}]},
]
FALSE: list[dict[str, Any]] = [
    {"$or": []},
    {"age": {"$gt": -7}},
    {"limit": {"$gt": 1}},
    {"name": {"$like": "s%"}},
    {"name": {"$like": "%x%e"}},
    {"name": {"$like": "%e_"}},
    {"tags": {"$containedBy": ["a"]}},
    {"tags": {"$all": ["a", "c"]}},
    {"tags": {"$overlap": ["c"]}},
    {"meta.a.b.0": "1"},
    {"meta.a.b.0": True},
    {"$and": [{"age": -7}, {"color": "red"}, {"limit": 1}]},
]


@pytest.mark.parametrize("given", TRUE, ids=str)
def test_a_filter_lets_a_row_through(given: dict[str, Any]) -> None:
    assert evaluate(parse(given, PERSON), ROW) is True
    assert evaluate(parse({"$not": given}, PERSON), ROW) is False


@pytest.mark.parametrize("given", FALSE, ids=str)
def test_a_filter_keeps_a_row_out(given: dict[str, Any]) -> None:
    assert evaluate(parse(given, PERSON), ROW) is False
    assert evaluate(parse({"$not": given}, PERSON), ROW) is True


def test_where_there_is_nothing_every_comparison_is_false() -> None:
    for given in (
        {"name": {"$regex": ""}}, {"name": {"$gte": ""}}, {"tags": {"$size": 0}}, {"tags": {"$all": ["a"]}},
        {"tags": {"$elemMatch": "a"}}, {"meta": {"$hasKey": "a"}}, {"meta.a": {"$exists": True}},
        {"place.postCode": {"$gt": ""}}, {"limit": {"$mod": [1, 0]}}, {"limit": {"$field": "limit"}},
    ):  # fmt: skip
        assert evaluate(parse(given, PERSON), EMPTY) is False


def test_a_row_without_the_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(parse({"age": 1}, PERSON), {})


def test_a_catastrophic_pattern_is_quick() -> None:
    text = {**ROW, "name": "a" * 5_000 + "!"}
    for given in (
        {"name": {"$regex": "(a+)+$"}},
        {"name": {"$regex": "(a|aa)+$", "$options": "i"}},
        {"name": {"$ilike": "%a" * 30 + "b"}},
        {"name": {"$like": "%a" * 2_500 + "b"}},
        {"name": {"$like": "%_a_a_a_b"}},
    ):
        start = time.perf_counter()
        assert evaluate(parse(given, PERSON), text) is False

        assert time.perf_counter() - start < 0.5  # 0.05 s where nothing else runs


def test_a_million_simple_conditions_take_about_a_second() -> None:
    lets = matcher(parse({"age": {"$gt": 18}}, PERSON))
    rows = [{"age": age} for age in range(100)] * 100
    start = time.perf_counter()
    sum(map(lets, rows))
    taken = time.perf_counter() - start

    assert taken / len(rows) < 5e-6  # 0.1 µs where nothing else runs
