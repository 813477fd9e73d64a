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
from dataflow.sql import NOTHING, And, Compare, Match, Not, OneOf, Or, parse
from dataflow.sql.filters._parse import MAX_DEPTH, MAX_NODES
from dataflow.sql.filters.operators._list import MAX_MEMBERS
from dataflow.sql.filters.operators._operators import MAX_BOUND_VALUES, MAX_VALUES
from dataflow.sql.filters.operators._text import MAX_TEXT_PATTERN


class Color(Enum):
    RED = "red"


class Area(msgspec.Struct, array_like=True):
    code: str


class Place(msgspec.Struct):
    street: str
    area: Area | None = None


class Seat(msgspec.Struct, tag_field="kind", tag="seat", rename="camel"):
    place: Place
    row_number: int
    areas: Area


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
    seat: Seat | None = None
    ages: list[int] = []  # noqa: RUF012
    cost: Annotated[Decimal, Digits(5, 3)] = Decimal(0)


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
    ({"age": {"zzzzzz": 1}}, "age", "takes a value or operators"),
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
    # elements
    ({"age": {"$all": [1]}}, "age.$all", "works on a list of values, not on int"),
    ({"meta": {"$overlap": [1]}}, "meta.$overlap", "works on a list of values, not on dict"),
    ({"ages": {"$all": 1}}, "ages.$all", "takes a list, not int"),
    ({"ages": {"$all": [1, "s"]}}, "ages.$all[1]", "takes int, not str"),
    ({"ages": {"$overlap": [1] * (MAX_MEMBERS + 1)}}, "ages.$overlap", "at most 1000 values"),
    ({"ages": {"$elemMatch": {"$gt": "s"}}}, "ages.$elemMatch.$gt", "takes int, not str"),
    ({"ages": {"$elemMatch": {"$gtt": 1}}}, "ages.$elemMatch.$gtt", "did you mean '$gt'?"),
    ({"ages": {"$elemMatch": {"$elemMatch": 1}}}, "ages.$elemMatch.$elemMatch", "a field that is a list"),
    ({"ages": {"$elemMatch": {"$all": [1]}}}, "ages.$elemMatch.$all", "works on a list of values"),
    ({"ages": {"$elemMatch": {"$gt": {"$field": "age"}}}}, "ages.$elemMatch.$gt.$field", "only a field"),
    ({"ages": {"$elemMatch": {"$hasKey": "a"}}}, "ages.$elemMatch.$hasKey", "works on JSON, not on int"),
    ({"ages": {"$size": -1}}, "ages.$size", "a size is 0 or more"),
    ({"ages": {"$size": None}}, "ages.$size", "takes int, not None"),
    ({"ages": {"$size": {"$gt": "s"}}}, "ages.$size.$gt", "takes int, not str"),
    ({"age": {"$size": 1}}, "age.$size", "works on JSON, not on int"),
    ({"meta.a": {"$all": [1]}}, "meta.a.$all", "does not work on JSON"),
    ({"meta.a": {"$elemMatch": 1}}, "meta.a.$elemMatch", "a field that is a list"),
    # paths
    ({"mta.a": 1}, "mta.a", "did you mean 'meta'?"),
    ({"age.a": 1}, "age.a", "'age' is int: only JSON has paths"),
    ({"tags.0": "a"}, "tags.0", "'tags' is list[str]: only JSON has paths"),
    ({"meta.": 1}, "meta.", "a path has a name between its dots"),
    ({"meta.a\0": 1}, "meta.a\0", "a name in a path takes str without NUL"),
    ({"meta" + ".a" * 101: 1}, "meta" + ".a" * 101, "at most 100 steps"),
    ({"place.stret": 1}, "place.stret", "Place has no 'stret': did you mean 'street'?"),
    ({"seat.place.stret": 1}, "seat.place.stret", "Place has no 'stret'"),
    ({"seat.row_number": 1}, "seat.row_number", "did you mean 'rowNumber'?"),
    ({"seat.q": 1}, "seat.q", "there are place, rowNumber, areas, kind"),
    ({"meta.a": Decimal(1)}, "meta.a", "str, int, float, bool or None, not Decimal"),
    ({"meta.a": [1]}, "meta.a", "not list"),
    ({"meta.a": {"$gt": None}}, "meta.a.$gt", "nothing is above or below None"),
    ({"meta.a": {"$in": [1, b""]}}, "meta.a.$in[1]", "not bytes"),
    ({"meta.a": {"$in": 1}}, "meta.a.$in", "takes a list, not int"),
    ({"meta.a": {"$in": [1] * (MAX_VALUES + 1)}}, "meta.a.$in", "at most 50000 values"),
    ({"meta.a": {"$like": 1}}, "meta.a.$like", "takes str, not int"),
    ({"meta.a": {"$mod": [1, 1]}}, "meta.a.$mod", "does not work on JSON"),
    ({"meta.a": {"$field": "age"}}, "meta.a.$field", "only a field is held against a field"),
    ({"meta": {"$hasKey": 1}}, "meta.$hasKey", "takes str, not int"),
    ({"age": {"$hasKey": "a"}}, "age.$hasKey", "works on JSON, not on int"),
    # fields
    ({"age": {"$gt": {"$field": "nmae"}}}, "age.$gt.$field", "did you mean 'name'?"),
    ({"age": {"$gt": {"$field": 1}}}, "age.$gt.$field", "takes a field's name, not int"),
    ({"age": {"$field": None}}, "age.$field", "takes a field's name, not None"),
    ({"age": {"$gt": {"$field": "age", "$x": 1}}}, "age.$gt.$field", "stands alone"),
    ({"age": {"$gt": {"$field": "name"}}}, "age.$gt.$field", "'age' and 'name' are not stored alike: int, str"),
    ({"age": {"$gt": {"$field": "real"}}}, "age.$gt.$field", "not stored alike"),
    ({"price": {"$gt": {"$field": "cost"}}}, "price.$gt.$field", "not stored alike"),
    ({"meta": {"$eq": {"$field": "meta"}}}, "meta.$eq.$field", "not stored alike"),
    ({"age": {"$in": {"$field": "age"}}}, "age.$in.$field", "$in takes no field: $eq, $gt"),
    # division
    ({"age": {"$mod": [0, 1]}}, "age.$mod[0]", "nothing is divided by zero"),
    ({"age": {"$mod": [1]}}, "age.$mod", "takes two ints: [divisor, remainder]"),
    ({"age": {"$mod": 2}}, "age.$mod", "takes two ints"),
    ({"age": {"$mod": [2, "1"]}}, "age.$mod[1]", "takes int, not str"),
    ({"real": {"$mod": [2, 1]}}, "real.$mod", "works on int, not on float"),
    # any case
    ({"name": {"$regex": "a", "$options": "x"}}, "name.$options", "takes 'i' (any case), 's' or both"),
    ({"name": {"$regex": "a", "$options": 1}}, "name.$options", "takes 'i'"),
    ({"name": {"$options": "i"}}, "name.$options", "stands beside $regex only"),
    ({"name": {"$regex": "(", "$options": "i"}}, "name.$regex", "not closed"),
    ({"meta.a": {"$regex": "(", "$options": "i"}}, "meta.a.$regex", "not closed"),
    ({"age": {"$icontains": "a"}}, "age.$icontains", "works on text, not on int"),
    ({"name": {"$icontains": "a" * 1001}}, "name.$icontains", "at most 1000 characters"),
    ({"name": {"$ilike": "%a" * 31}}, "name.$ilike", "has at most 30 '%'"),
    ({"name": {"$ilike": "a\\"}}, "name.$ilike", "ends in a backslash"),
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
        {"name": {"$ilike": "s3cret\\"}},
        {"ages": {"$all": ["s3cret"]}},
        {"ages": {"$elemMatch": "s3cret"}},
        {"age": {"$mod": ["s3cret", 1]}},
        {"meta": {"$hasKey": "s3cret\0"}},
        {"name": {"$regex": "s3cret", "$options": "s3cret"}},
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


def test_the_names_of_a_struct_are_checked_as_far_as_they_are_known() -> None:
    for name in (
        "place.street",
        "place.area.anything",
        "seat.kind",
        "seat.rowNumber",
        "seat.place.street",
        "seat.areas.0",
        "meta.a.0.b",
    ):
        assert isinstance(parse({name: "a"}, USER), Compare)


def test_no_members_mean_what_they_would_mean_in_sets() -> None:
    assert parse({"ages": {"$overlap": []}}, USER) is NOTHING
    assert isinstance(parse({"ages": {"$all": []}}, USER), Not)
    assert isinstance(parse({"ages": {"$containedBy": []}}, USER), Compare)


def test_options_stand_beside_other_operators() -> None:
    part = parse({"name": {"$options": "is", "$regex": "a", "$ne": "b"}}, USER)

    assert isinstance(part, And)
    regex, other = part.parts
    assert isinstance(regex, Match)
    assert regex.pattern == "[Aa]"
    assert isinstance(other, Not)
