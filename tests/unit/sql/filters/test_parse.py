from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import msgspec
import pytest

from dataflow.errors import FilterError, UnknownFieldError
from dataflow.models import Digits, declare
from dataflow.sql import And, Compare, OneOf, Or, parse
from dataflow.sql.filters._operators import MAX_BOUND_VALUES, MAX_VALUES
from dataflow.sql.filters._parse import MAX_DEPTH, MAX_NODES
from dataflow.sql.filters._text import MAX_TEXT_PATTERN


class Color(Enum):
    RED = "red"


class Place(msgspec.Struct):
    street: str


class User:
    age: int | None
    name: str
    price: Annotated[Decimal, Digits(5, 2)] = Decimal(0)
    color: Color = Color.RED
    real: float = 0.0
    joined: datetime | None = None
    tags: list[str] = []  # noqa: RUF012
    meta: dict[str, Any] = {}  # noqa: RUF012
    place: Place | None = None


USER = declare(User)


def refusal(given: object) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse(given, USER)
    return caught.value


def nested(depth: int, word: str = "$and") -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth - 1):
        inner = {"$not": inner} if word == "$not" else {word: [inner]}
    return inner


class Record(Mapping[str, object]):
    """A mapping that is no dict."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


REFUSED: list[tuple[object, str, str]] = [
    # shapes
    ([], "", "expected a mapping, not list"),
    ("name = 1", "", "expected a mapping, not str"),
    ({1: 2}, "1", "expected a field's name, not int"),
    ({None: 2}, "None", "expected a field's name, not None"),
    ({"$and": {"age": 1}}, "$and", "takes a list, not dict"),
    ({"$or": None}, "$or", "takes a list, not None"),
    ({"$or": ["age"]}, "$or[0]", "expected a mapping, not str"),
    ({"$or": [{}, None]}, "$or[1]", "expected a mapping, not None"),
    ({"$not": 5}, "$not", "expected a mapping, not int"),
    ({"$and": [{}] * (MAX_NODES + 1)}, "$and", "takes at most 1000 filters"),
    # names
    ({"nmae": 1}, "nmae", "User has no 'nmae': did you mean 'name'?"),
    ({"name; DROP TABLE users": 1}, "name; DROP TABLE users", "User has no 'name; DROP"),
    ({'name" = 1 --': 1}, 'name" = 1 --', "User has no"),
    ({"": 1}, "", "User has no ''"),
    ({"$nto": {}}, "$nto", "unknown operator '$nto': did you mean '$not'?"),
    ({"$where": "1"}, "$where", "unknown operator '$where': there are $and, $or, $nor, $not"),
    ({"age": {"$gte ": 1}}, "age.$gte ", "unknown operator '$gte ': did you mean '$gte'?"),
    ({"age": {"$XX": 1}}, "age.$XX", "unknown operator '$XX': there are $eq"),
    ({"$and": [{"age": 1}, {"$or": [{"ag": 1}]}]}, "$and[1].$or[0].ag", "did you mean 'age'?"),
    # values
    ({"age": "1"}, "age", "takes int, not str"),
    ({"age": True}, "age", "takes int, not bool"),
    ({"age": 2**63}, "age", "takes int (64 bits), not an int beyond 64 bits"),
    ({"age": {}}, "age", "takes a value or operators such as {'$gt': ...}"),
    ({"age": {1: 2}}, "age", "takes a value or operators such as"),
    ({"age": {"gt": 1}}, "age", "'gt' is none: did you mean '$gt'?"),
    ({"age": {"$gt": 1, "lte": 2}}, "age", "'lte' is none: did you mean '$lte'?"),
    ({"age": {"zzzzzz": 1}}, "age", "takes a value or operators, and 'zzzzzz' is none"),
    ({"age": [1]}, "age", "compares with a list: write {'$in': [...]}"),
    ({"age": {"$eq": {1}}}, "age.$eq", "compares with a list"),
    ({"age": {"$gt": None}}, "age.$gt", "nothing is above or below None: use $null"),
    ({"age": {"$lt": "x"}}, "age.$lt", "takes int, not str"),
    ({"name": {"$gt": "a\0"}}, "name.$gt", "not a str with a NUL character"),
    ({"name": {"$ne": "\ud800"}}, "name.$ne", "not a str with a lone surrogate"),
    ({"real": float("nan")}, "real", "not a float that is not finite"),
    ({"joined": {"$gt": datetime(2026, 1, 1)}}, "joined.$gt", "timezone"),  # noqa: DTZ001
    ({"price": Decimal("1.005")}, "price", "not a Decimal with more digits"),
    ({"color": "green"}, "color", "takes one of 'red', not another str"),
    ({"age": {"$not": {"$lt": "x"}}}, "age.$not.$lt", "takes int, not str"),
    ({"age": {"$not": "x"}}, "age.$not", "takes int, not str"),
    # lists
    ({"age": {"$in": 5}}, "age.$in", "takes a list, not int"),
    ({"age": {"$nin": "ab"}}, "age.$nin", "takes a list, not str"),
    ({"age": {"$in": [1, "x"]}}, "age.$in[1]", "takes int, not str"),
    ({"age": {"$in": [1] * (MAX_VALUES + 1)}}, "age.$in", "at most 50000 values of type int"),
    ({"real": {"$nin": [1.0] * (MAX_BOUND_VALUES + 1)}}, "real.$nin", "at most 10000 values of type float"),
    ({"age": {"$between": 5}}, "age.$between", "takes [lowest, highest], not int"),
    ({"age": {"$between": {1, 2}}}, "age.$between", "takes [lowest, highest], not set"),
    ({"age": {"$between": [1]}}, "age.$between", "takes two values: [lowest, highest]"),
    ({"age": {"$between": [1, None]}}, "age.$between[1]", "nothing is above or below None"),
    # documents
    ({"tags": ["a"]}, "tags", "list[str] is not compared as a whole: ask with $all"),
    ({"meta": {"a": 1}}, "meta", "dict is not compared as a whole: name a path inside, such as 'meta.key'"),
    ({"place": {"$gt": 1}}, "place.$gt", "Place is not compared as a whole"),
    ({"tags": {"$in": [[]]}}, "tags.$in", "not compared as a whole"),
    # null
    ({"age": {"$null": 1}}, "age.$null", "takes True or False, not int"),
    ({"age": {"$exists": "yes"}}, "age.$exists", "takes True or False, not str"),
    # text
    ({"age": {"$like": "1%"}}, "age.$like", "works on text, not on int"),
    ({"color": {"$contains": "r"}}, "color.$contains", "works on text, not on one of 'red'"),
    ({"name": {"$like": 5}}, "name.$like", "takes str, not int"),
    ({"name": {"$startsWith": None}}, "name.$startsWith", "takes str, not None"),
    ({"name": {"$like": "a\\"}}, "name.$like", "ends in a backslash that escapes nothing"),
    ({"name": {"$like": "a\\\\\\"}}, "name.$like", "ends in a backslash"),
    ({"name": {"$like": "a" * (MAX_TEXT_PATTERN + 1)}}, "name.$like", "at most 10000 characters"),
    ({"name": {"$regex": "a(?=b)"}}, "name.$regex", "not supported here"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    REFUSED,
    ids=[f"{path} {why}" for _, path, why in REFUSED],
)
def test_what_is_not_understood_is_refused_where_it_stands(
    given: object, path: str, problem: str
) -> None:
    error = refusal(given)

    assert error.path == path
    assert problem in error.problem
    assert str(error) == f"{path or 'filter'}: {error.problem}"


def test_an_unknown_field_is_the_cause_of_the_refusal() -> None:
    assert isinstance(refusal({"nmae": 1}).__cause__, UnknownFieldError)


def test_no_refusal_tells_a_value() -> None:
    for given in (
        {"age": "s3cret"},
        {"color": "s3cret"},
        {"age": {"$in": ["s3cret"]}},
        {"name": {"$regex": "s3cret("}},
        {"name": {"$like": "s3cret\\"}},
    ):
        assert "s3cret" not in str(refusal(given))


@pytest.mark.parametrize("word", ["$and", "$or", "$nor", "$not"])
def test_a_filter_nests_to_its_limit_and_no_deeper(word: str) -> None:
    parse(nested(MAX_DEPTH, word), USER)

    assert (
        refusal(nested(MAX_DEPTH + 1, word)).problem == "a filter nests at most 32 deep"
    )
    assert refusal(nested(9_000, word)).problem == "a filter nests at most 32 deep"


def test_what_stands_behind_a_field_nests_no_deeper() -> None:
    behind: Any = 1
    for _ in range(MAX_DEPTH + 1):
        behind = {"$not": behind}

    assert "at most 32 deep" in refusal({"age": behind}).problem


def test_a_filter_has_as_many_conditions_as_its_limit_and_no_more() -> None:
    parse({"$or": [{"age": 1}] * (MAX_NODES - 1)}, USER)

    error = refusal({"$or": [{"age": 1}] * MAX_NODES})
    assert error.problem == "a filter has at most 1000 conditions"
    error = refusal({"$or": [{"age": {"$gt": 1}}] * (MAX_NODES // 2)})
    assert error.problem == "a filter has at most 1000 conditions"


def test_any_mapping_is_a_filter() -> None:
    part = parse(Record({"age": Record({"$gt": 1}), "name": "x"}), USER)

    assert isinstance(part, And)
    assert [each.value for each in part.parts if isinstance(each, Compare)] == [1, "x"]


def test_values_are_brought_into_their_normal_form() -> None:
    part = parse({"price": {"$in": [1, Decimal("2.5"), None]}, "color": "red"}, USER)

    assert isinstance(part, And)
    prices, color = part.parts
    assert isinstance(prices, OneOf)
    assert list(map(str, prices.values)) == ["1.00", "2.50", "None"]
    assert isinstance(color, Compare)
    assert color.value is Color.RED


def test_a_list_may_be_a_tuple_or_a_set() -> None:
    for values in ([1], (1,), {1}, frozenset({1})):
        part = parse({"age": {"$in": values}}, USER)

        assert isinstance(part, OneOf)
        assert part.values == (1,)


def test_documents_can_be_asked_for_null() -> None:
    for name in ("tags", "meta", "place"):
        assert isinstance(parse({name: None}, USER), Compare)
        assert isinstance(
            parse({"$or": [{name: {"$null": True}}, {"age": 1}]}, USER), Or
        )
