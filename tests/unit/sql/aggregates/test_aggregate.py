from __future__ import annotations

from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

import pytest

from dataflow.errors import FilterError, UnknownFieldError
from dataflow.models import Digits, Kind, declare
from dataflow.sql import FUNCTIONS, parse_aggregates
from dataflow.sql.aggregates import MAX_AGGREGATES


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Sale:
    name: str
    amount: int
    price: Annotated[Decimal, Digits(10, 2)]
    weight: float | None
    rating: Literal[1, 2]
    level: Level
    color: Color
    flag: bool
    tags: list[int]
    meta: dict[str, Any]


class Word:
    id: str
    text: str


SALE, WORD = declare(Sale), declare(Word)


@pytest.mark.parametrize(
    ("given", "kind", "is_nullable", "is_whole"),
    [
        ({"$count": "*"}, Kind.INT, False, False),
        ({"$count": "tags"}, Kind.INT, False, False),
        ({"$countDistinct": "name"}, Kind.INT, False, False),
        ({"$sum": "amount"}, Kind.DECIMAL, True, True),
        ({"$sum": "rating"}, Kind.DECIMAL, True, True),
        ({"$sum": "level"}, Kind.DECIMAL, True, True),
        ({"$sum": "price"}, Kind.DECIMAL, True, False),
        ({"$sum": "weight"}, Kind.FLOAT, True, False),
        ({"$avg": "amount"}, Kind.DECIMAL, True, False),
        ({"$avg": "weight"}, Kind.FLOAT, True, False),
        ({"$min": "color"}, Kind.ENUM, True, False),
        ({"$max": "flag"}, Kind.BOOL, True, False),
    ],
    ids=str,
)
def test_a_result_has_a_type(
    given: dict[str, str],
    kind: Kind,
    is_nullable: bool,  # noqa: FBT001  # parametrised
    is_whole: bool,  # noqa: FBT001
) -> None:
    (aggregate,) = parse_aggregates({"it": given}, SALE, ())

    assert aggregate.alias == "it"
    assert aggregate.type.kind is kind
    assert (aggregate.is_nullable, aggregate.is_whole) == (is_nullable, is_whole)


def test_aliases_keep_their_order_and_may_be_names_of_other_fields() -> None:
    given = {"z": {"$count": "*"}, "price": {"$max": "price"}, "a b": {"$min": "id"}}
    aggregates = parse_aggregates(given, SALE, ("name",))

    assert [each.alias for each in aggregates] == ["z", "price", "a b"]


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    [
        (None, "aggregates", "takes a mapping such as {'total': {'$sum': 'price'}}"),
        ([], "aggregates", "not list"),
        ({}, "aggregates", "not an empty mapping"),
        ({1: {"$count": "*"}}, "aggregates", "takes names as keys, not int"),
        ({"": {"$count": "*"}}, "aggregates", "'' is no name for a result"),
        ({"$x": {"$count": "*"}}, "aggregates", "'$x' is no name for a result"),
        ({"a.b": {"$count": "*"}}, "aggregates", "'a.b' is no name for a result"),
        ({"name": {"$count": "*"}}, "aggregates.name", "give the result another name"),
        ({"n": "$count"}, "aggregates.n", "takes one function of one field"),
        ({"n": {}}, "aggregates.n", "takes one function of one field"),
        (
            {"n": {"$sum": "price", "$avg": "price"}},
            "aggregates.n",
            "takes one function of one field",
        ),
        ({"n": {"$total": "price"}}, "aggregates.n", "unknown operator '$total'"),
        ({"n": {"$cuont": "*"}}, "aggregates.n", "did you mean '$count'?"),
        ({"n": {1: "price"}}, "aggregates.n", "unknown operator '1'"),
        ({"n": {"$sum": "*"}}, "aggregates.n.$sum", "Sale has no '*'"),
        ({"n": {"$sum": "prise"}}, "aggregates.n.$sum", "did you mean 'price'?"),
        ({"n": {"$sum": 1}}, "aggregates.n.$sum", "takes a field's name, not int"),
        ({"n": {"$sum": ["a"]}}, "aggregates.n.$sum", "a field's name, not list"),
        (
            {"n": {"$sum": "flag"}},
            "aggregates.n.$sum",
            "int, float or Decimal, such as id, amount, price, weight, rating, level",
        ),
        ({"n": {"$avg": "color"}}, "aggregates.n.$avg", "takes int, float or Decimal"),
        ({"n": {"$max": "meta"}}, "aggregates.n.$max", "'meta' is dict: takes single"),
        (
            {"n": {"$countDistinct": "tags"}},
            "aggregates.n.$countDistinct",
            "'tags' is list[int]: takes single values",
        ),
        (
            {f"n{each}": {"$count": "*"} for each in range(MAX_AGGREGATES + 1)},
            "aggregates",
            "takes at most 100 aggregates",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_no_aggregate_is_refused(given: Any, path: str, problem: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_aggregates(given, SALE, ("name",))

    assert caught.value.path == path
    assert problem in caught.value.problem


def test_an_unknown_field_is_the_cause() -> None:
    with pytest.raises(FilterError) as caught:
        parse_aggregates({"n": {"$min": "prise"}}, SALE, ())

    assert isinstance(caught.value.__cause__, UnknownFieldError)


def test_a_model_without_numbers_has_nothing_to_sum() -> None:
    with pytest.raises(FilterError, match="of which there is none"):
        parse_aggregates({"n": {"$sum": "text"}}, WORD, ())


def test_there_are_six_functions() -> None:
    assert FUNCTIONS == ("$count", "$countDistinct", "$sum", "$avg", "$min", "$max")
