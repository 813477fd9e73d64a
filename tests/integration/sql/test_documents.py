"""Elements, paths, fields and cases mean the same on both databases and in Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.models import Digits, declare
from dataflow.schema import ensure_table
from dataflow.sql import Filter, Result, matcher, parse, table_of

# What a filter means does not depend on the event loop.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Color(Enum):
    RED = "red"
    GREEN = "é"


class City(msgspec.Struct, rename="camel"):
    postal_code: str
    size: int | None = None


class Home(msgspec.Struct):
    city: City
    floor: float = 0.0


class Item:
    # Named as the columns of SQLite's json_each are.
    key: list[str]
    value: list[int] | None
    path: list[float]
    atom: list[Decimal]
    type: list[Annotated[Decimal, Digits(10, 2)]]
    parent: list[bytes]
    colors: list[Color]
    days: list[date]
    instants: list[datetime]
    spans: list[timedelta]
    marks: list[UUID]
    flags: list[bool]
    json: dict[str, Any] | None
    things: list[Any]
    home: Home | None
    low: int
    high: int | None
    text: str
    other: str | None
    color: Color
    price: Annotated[Decimal, Digits(10, 2)]
    cost: Annotated[Decimal, Digits(9, 2)] | None
    free: Decimal
    loose: Decimal | None
    real: float
    flag: bool
    other_flag: bool | None

    __tablename__ = "$each"


ITEM = declare(Item)
NAMES = tuple(name for name in ITEM.names if name != "id")

TEXTS = ["", "a", "A", "ß", "ẞ", "ss", "straße", "STRASSE", "é", "É", "e\u0301", "k", "K", "\u212a",
         "\u017f", "S", "İ", "i", "\u0131", "Σ", "\u03c3", "ς", "Ω", "\u2126", "ǆ", "ǅ", "Ǆ", "a.b", "[a]", "^", "$",
         "%", "a\nb", "\\", "\"", "'", "\u13a0", "ꭰ", "𐐀", "𐐨", "😀", "{}", "\x1f"]  # fmt: skip
INTS = [0, 1, -1, 2, 3, -3, 7, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, 1.0, 1.5, 0.1, 0.30000000000000004, 0.3, 5e-324, 1e16, 1e22, 2.0**53,
          1.7976931348623157e308, 123456789.123456789]  # fmt: skip
POOLS: dict[str, list[Any]] = {
    "key": TEXTS,
    "value": INTS,
    "path": FLOATS,
    "atom": [Decimal(each) for each in ("0", "9", "10", "1.5", "1.50", "-1e-30", "1e30")],
    "type": [Decimal(each) for each in ("0", "9", "10", "1.5", "-0.01")],
    "parent": [b"", b"\0", b"a", b"\xff", b"a\xff", b"ab"],
    "colors": list(Color),
    "days": [date.min, date(2026, 1, 2), date.max],
    "instants": [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 6, UTC)],
    "spans": [timedelta(0), timedelta(days=40, microseconds=1), timedelta(days=-1)],
    "marks": [UUID(int=0), UUID(int=2**127)],
    "flags": [True, False],
}  # fmt: skip
SCALARS = [None, True, False, *TEXTS[:12], *INTS, *FLOATS]
KEYS = [
    "a",
    "b",
    "0",
    "1",
    "01",
    "-1",
    "+1",
    " 1",
    "é",
    "a b",
    "'",
    '"',
    "\\",
    "$",
    "[0]",
    "*",
    "null",
]
SINGLES: dict[str, list[Any]] = {
    "low": INTS, "high": [*INTS, None], "text": TEXTS, "other": [*TEXTS, "red", None],
    "color": list(Color), "price": POOLS["type"], "cost": [*POOLS["type"], None],
    "free": POOLS["atom"], "loose": [*POOLS["atom"], None], "real": FLOATS, "flag": [True, False],
    "other_flag": [True, False, None],
}  # fmt: skip


def _document(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth == 3 or kind < 0.4:
        return chance.choice(SCALARS)
    if kind < 0.6:
        return [_document(chance, depth + 1) for _ in range(chance.randrange(4))]
    keys = chance.sample(KEYS, chance.randrange(1, 6))
    return {key: _document(chance, depth + 1) for key in keys}


def _row(key: int, chance: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"id": key}
    for name, pool in POOLS.items():
        row[name] = chance.choices(pool, k=chance.randrange(4))
    for name, pool in SINGLES.items():
        row[name] = chance.choice(pool)
    documents = [_document(chance, 1) for _ in KEYS]
    row["json"] = dict(zip(KEYS, documents, strict=True))
    row["things"] = [_document(chance, 1) for _ in range(chance.randrange(4))]
    city = City(chance.choice(["a", "01"]), chance.choice([None, 1, 2]))
    row["home"] = Home(city, chance.choice(FLOATS))
    for name in ("value", "json", "home"):
        row[name] = None if chance.random() < 0.2 else row[name]
    return {name: ITEM.field(name).check(value, "test") for name, value in row.items()}


CHANCE = random.Random(11)  # noqa: S311  # rows, not secrets
ROWS = [_row(key, CHANCE) for key in range(1, 101)]

# -- filters ----------------------------------------------------------------------

BITS = st.text("aAßẞéÉkK\u212a\u017f\u03c3ςǆ.😀", max_size=2) | st.sampled_from(TEXTS)
LIKES = st.lists(
    st.sampled_from([*"aAéß%_.k😀", "\\%", "\\\\"]), max_size=4
).map("".join)  # fmt: skip
FOLDED = st.sampled_from(
    [
        "^a",
        "[a-z]",
        "[^a-z]",
        "[^K]",
        "ß|\u03c3",
        "[]a-k]",
        r"\w[é-]",
        "(\u017f|É)?$",
        "[A-\U0001f600]",
        "",
        ".",
    ]
)
OF_TEXT: dict[str, st.SearchStrategy[Any]] = {
    "$ilike": LIKES,
    "$like": LIKES,
    "$icontains": BITS,
    "$istartsWith": BITS,
    "$iendsWith": BITS,
    "$contains": BITS,
}
ORDERED = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]


def _one(operands: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return st.one_of(
        *(st.builds(_keyed, st.just(name), each) for name, each in operands.items())
    )


def _keyed(name: str, value: object) -> dict[str, Any]:
    return {name: value}


def _regex(pattern: str, options: str) -> dict[str, Any]:
    return {"$regex": pattern, "$options": options}


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return left | right


TEXTUAL = _one(OF_TEXT) | st.builds(
    _regex, FOLDED, st.sampled_from(["i", "is", "s", ""])
)
SIZES = st.integers(0, 4)


def _of_list(name: str) -> st.SearchStrategy[Any]:
    value = st.sampled_from(POOLS[name])
    some = st.lists(value, max_size=3)
    element = _one(
        dict.fromkeys(ORDERED, value)
        | {"$in": some, "$nin": some, "$between": st.tuples(value, value)}
    )
    element |= TEXTUAL if name == "key" else element
    element |= value | st.builds(_merged, element, element)
    element |= st.builds(
        _keyed, st.just("$not"), element.filter(lambda each: isinstance(each, dict))
    )
    sized = _one({"$gt": SIZES, "$lte": SIZES, "$ne": SIZES})
    return _one(
        dict.fromkeys(["$all", "$overlap", "$containedBy"], some)
        | {"$size": SIZES | sized, "$elemMatch": element, "$null": st.booleans()}
    )


LISTS = st.sampled_from(list(POOLS)).flatmap(
    lambda name: st.builds(_keyed, st.just(name), _of_list(name))
)
SCALAR = st.sampled_from(SCALARS)
VALUE = st.sampled_from([each for each in SCALARS if each is not None])
JSON = _one(
    dict.fromkeys(["$gt", "$gte", "$lt", "$lte"], VALUE)
    | dict.fromkeys(["$eq", "$ne"], SCALAR)
    | dict.fromkeys(["$in", "$nin"], st.lists(SCALAR, max_size=4))
    | dict.fromkeys(["$null", "$exists"], st.booleans())
    | {"$between": st.tuples(VALUE, VALUE), "$hasKey": st.sampled_from(KEYS), "$size": SIZES}
)  # fmt: skip
STEPS = st.sampled_from([key for key in KEYS if "." not in key])
PATHS = st.one_of(
    st.lists(STEPS, min_size=1, max_size=3).map(
        lambda steps: ".".join(["json", *steps])
    ),
    st.lists(STEPS, min_size=1, max_size=3).map(
        lambda steps: ".".join(["things", *steps])
    ),
    st.sampled_from(
        ["home.city", "home.city.postalCode", "home.city.size", "home.floor"]
    ),
)
DOCUMENTS = st.builds(_keyed, PATHS, JSON | TEXTUAL | SCALAR)
WHOLE = st.builds(
    _keyed,
    st.sampled_from(["json", "things", "home"]),
    _one({"$hasKey": STEPS | st.just("floor"), "$size": SIZES, "$null": st.booleans()}),
)
PAIRS = [
    ("low", "high"), ("text", "other"), ("text", "color"), ("other", "color"), ("price", "cost"),
    ("free", "loose"), ("real", "real"), ("flag", "other_flag"), ("color", "color"),
]  # fmt: skip


def _pair(pair: tuple[str, str], operator: str) -> dict[str, Any]:
    return {pair[0]: {operator: {"$field": pair[1]}}}


FIELDS = st.builds(_pair, st.sampled_from(PAIRS), st.sampled_from(ORDERED))
NUMBERS = st.sampled_from(INTS)
MODULO = st.builds(
    _keyed,
    st.sampled_from(["low", "high"]),
    _one({"$mod": st.tuples(NUMBERS.filter(bool), st.integers(-3, 3) | NUMBERS)}),
)
TEXT = st.builds(_keyed, st.sampled_from(["text", "other"]), TEXTUAL)
LEAVES = LISTS | DOCUMENTS | WHOLE | FIELDS | MODULO | TEXT


def _joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, max_size=3)
    return st.builds(
        _keyed, st.sampled_from(["$and", "$or", "$nor"]), several
    ) | st.builds(_keyed, st.just("$not"), inner)


FILTERS = st.recursive(LEAVES, _joined, max_leaves=6)
AT_ONCE = 40
"""Filters of one example: a round trip costs more than a filter."""

SETTINGS = settings(
    max_examples=25,
    deadline=None,
    # The wrong ones of many filters are told; making the many fewer takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # examples only read
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@pytest.fixture
async def filled(drivers: tuple[Driver, Driver]) -> tuple[Driver, Driver]:
    """Give both databases with the same rows in them."""
    for driver in drivers:
        await ensure_table(driver, ITEM)
        statement = table_of(ITEM, driver.dialect).insert_many(("id", *NAMES), ROWS)
        async with driver.acquire() as connection:
            await connection.run([statement])
    return drivers


async def keys(driver: Driver, filters: Sequence[Filter]) -> list[list[int]]:
    """Return the keys of the rows each filter lets through, in order."""
    table = table_of(ITEM, driver.dialect)
    statements = [
        table.select(each, names=("id",), order=table.key_order) for each in filters
    ]
    async with driver.acquire(write=False) as connection:
        results: Sequence[Result] = await connection.run(statements)
    return [[row[0] for row in result.rows] for result in results]


def in_python(part: Filter) -> list[int]:
    lets = matcher(part)
    return [row["id"] for row in ROWS if lets(row)]


@SETTINGS
@given(filters=st.lists(FILTERS, min_size=AT_ONCE, max_size=AT_ONCE))
@example(filters=[{f"{name}.0": {"$gt": 1}} for name in ("json", "things")])
async def test_both_databases_and_python_let_the_same_rows_through(
    filled: tuple[Driver, Driver], filters: list[dict[str, Any]]
) -> None:
    parts = [parse(each, ITEM) for each in filters]
    expected = list(map(in_python, parts))
    for driver in filled:
        found = await keys(driver, parts)
        wrong = [
            (driver.dialect.name, each, sorted(set(one) ^ set(other)))
            for each, one, other in zip(filters, found, expected, strict=True)
            if one != other
        ]

        assert not wrong, wrong


@settings(SETTINGS, max_examples=5)
@given(pairs=st.lists(st.tuples(FILTERS, FILTERS), min_size=20, max_size=20))
async def test_a_filter_and_its_negation_part_the_rows(
    filled: tuple[Driver, Driver], pairs: list[tuple[Any, Any]]
) -> None:
    everything = [row["id"] for row in ROWS]
    for driver in filled:
        asked = [
            [{"$not": left}, left, {"$nor": [left, right]},
             {"$and": [{"$not": left}, {"$not": right}]},
             {"$not": {"$and": [left, right]}},
             {"$or": [{"$not": left}, {"$not": right}]}]
            for left, right in pairs
        ]  # fmt: skip
        parts = [parse(each, ITEM) for group in asked for each in group]
        found = await keys(driver, parts)
        for at in range(0, len(found), 6):
            no, yes, neither, none, either, some = found[at : at + 6]

            assert sorted(yes + no) == everything
            assert neither == none
            assert either == some


async def test_the_examples_part_the_rows() -> None:
    """A generator whose filters let all rows or none through proves nothing."""
    sizes = [
        len(in_python(parse(given, ITEM)))
        for given in (
            {"json.a": {"$gt": 0}}, {"json.a.b": {"$exists": True}}, {"key": {"$overlap": ["a", "é"]}},
            {"path": {"$elemMatch": {"$gt": 0.3}}}, {"low": {"$lt": {"$field": "high"}}},
            {"text": {"$icontains": "k"}}, {"low": {"$mod": [2, 1]}}, {"things.0": {"$null": False}},
        )
    ]  # fmt: skip

    assert all(0 < size < len(ROWS) for size in sizes)


def _nested(depth: int, leaf: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = leaf
    for level in range(depth):
        word = ("$or", "$and", "$nor", "$not")[level % 4]
        if word == "$not":
            inner = {"$not": inner, "low": {"$gte": {"$field": "low"}}}
        else:
            inner = {word: [{"json.a.0.b": {"$gt": 1}}, inner, leaf]}
    return inner


def _negated(times: int) -> dict[str, Any]:
    return {"$not": _negated(times - 1)} if times else {"$gt": "a"}


SHAPES: dict[str, dict[str, Any]] = {
    "deep elements": _nested(28, {"key": {"$elemMatch": {"$not": {"$gt": "a"}}}}),
    "deep members": _nested(29, {"value": {"$containedBy": [1, 2]}}),
    "deep all": _nested(29, {"value": {"$all": [1, 2, 3]}}),
    "deep paths": _nested(29, {"json.a.-1": {"$in": [1, "a", None]}}),
    "within": {"key": {"$elemMatch": _negated(27)}},
    "many elements": {"$or": [{"path": {"$elemMatch": at / 7}} for at in range(450)]},
    "many members": {"key": {"$all": [str(at) for at in range(1_000)]}},
    "many more": {"$nor": [{"value": {"$all": [*range(9)]}} for _ in range(400)]},
    "many paths": {"$or": [{f"json.a.{at}": 1} for at in range(900)]},
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
async def test_a_filter_of_any_shape_is_understood(
    drivers: tuple[Driver, Driver], name: str
) -> None:
    part = parse(SHAPES[name], ITEM)
    for driver in drivers:
        await ensure_table(driver, ITEM)
        table = table_of(ITEM, driver.dialect)
        statements = [
            table.insert_many(("id", *NAMES), ROWS),
            table.count(part),
            table.delete(part),
        ]
        async with driver.acquire() as connection:
            _, count, deleted = await connection.run(statements)

        assert count.rows[0][0] == deleted.count == len(in_python(part))
