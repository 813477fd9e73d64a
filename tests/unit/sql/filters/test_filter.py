from __future__ import annotations

from typing import Any

import pytest

from dataflow.models import declare
from dataflow.sql import (
    ALL,
    NOTHING,
    And,
    Compare,
    Comparison,
    Filter,
    Not,
    Or,
    conjunction,
    disjunction,
    negation,
    parse,
)


class User:
    age: int
    name: str


USER = declare(User)
A = Compare(USER.field("age"), Comparison.GT, 1)
B = Compare(USER.field("age"), Comparison.LT, 9)


def parts(made: Filter) -> list[Filter]:
    assert isinstance(made, And | Or)
    return list(made.parts)


def test_a_conjunction_of_one_is_that_one() -> None:
    assert conjunction([A]) is A
    assert conjunction([ALL, A]) is A
    assert disjunction([A]) is A
    assert disjunction([NOTHING, A]) is A


def test_conjunctions_inside_each_other_are_one() -> None:
    assert parts(conjunction([And((A, B)), A])) == [A, B, A]
    assert parts(disjunction([Or((A, B)), A])) == [A, B, A]


def test_nothing_and_something_is_nothing() -> None:
    assert conjunction([A, NOTHING]) is NOTHING
    assert disjunction([A, ALL]) is ALL


def test_no_part_lets_everything_or_nothing_through() -> None:
    assert conjunction([]) is ALL
    assert disjunction([]) is NOTHING


def test_a_negation_undoes_another() -> None:
    once = negation(A)

    assert isinstance(once, Not)
    assert negation(once) is A
    assert negation(ALL) is NOTHING
    assert negation(NOTHING) is ALL


EVERYTHING: list[Any] = [
    None,
    {},
    {"$and": []},
    {"$and": [{}]},
    {"$nor": []},
    {"$or": [{"age": 1}, {}]},
    {"$not": {"$or": []}},
    {"age": {"$nin": []}},
    {"$and": [{"$nor": []}, {"age": {"$nin": ()}}]},
    {"$not": {"age": {"$in": set()}}},
    {"age": {"$not": {"$in": []}}},
]


@pytest.mark.parametrize("written", EVERYTHING, ids=str)
def test_what_lets_every_row_through_is_all_however_it_is_written(
    written: object,
) -> None:
    assert parse(written, USER) is ALL


NO_ROW: list[Any] = [
    {"$or": []},
    {"age": {"$in": []}},
    {"$nor": [{}]},
    {"$not": {}},
    {"age": 1, "$or": []},
]


@pytest.mark.parametrize("written", NO_ROW, ids=str)
def test_what_lets_no_row_through_is_nothing(written: object) -> None:
    assert parse(written, USER) is NOTHING
