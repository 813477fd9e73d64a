"""Aggregates are what Python makes of the rows, on both databases."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.models import Digits, Kind, Model, declare
from dataflow.schema import ensure_table
from dataflow.sql import Groups, Statement, parse, parse_aggregates, table_of

# What an aggregate is does not depend on the event loop.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Color(Enum):
    RED = "red"
    BLUE = "Blue"
    GREEN = "é"


class Level(IntEnum):
    LOW = -1
    HIGH = 2**40


MICROSECOND = timedelta(microseconds=1)
POOLS: dict[str, tuple[Any, list[Any]]] = {
    "text": (str, ["", "a", "A", "B", "b", "é", "É", "\U0001f600", "\uffff", "g0", "'; --"]),
    "number": (int, [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 2**32, -(2**32) - 1, 3]),
    "real": (float, [0.0, 1.0, -1.5, 0.1, 0.3, 1e16, -1e-9, 5e-324]),
    "flag": (bool, [True, False]),
    "money": (
        Annotated[Decimal, Digits(18, 2)],
        [Decimal(each) for each in ("0", "1.5", "-1.5", "9.99", "9999999999999999.99",
                                    "-9999999999999999.99")],
    ),
    "wide": (
        Annotated[Decimal, Digits(30, 5)],
        [Decimal(each) for each in ("0", "9", "10", "-10", "1.5", "0.00001",
                                    "9999999999999999999999999.99999")],
    ),
    "free": (
        Decimal,
        [Decimal(each) for each in ("0", "9", "10", "-9", "1.5", "1.50", "-1e-30", "1e30")]
        + [Decimal(10**999), Decimal(-(10**999)), Decimal("1e-999")],
    ),
    "instant": (
        datetime,
        [datetime(2026, 1, 2, 3, 4, 5, 1, UTC), datetime(1969, 12, 31, tzinfo=UTC),
         datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
    ),
    "day": (date, [date.min, date.max, date(2026, 1, 2)]),
    "clock": (time, [time.min, time.max, time(12, 0, 0, 1)]),
    "span": (timedelta, [timedelta(0), timedelta(days=40), -MICROSECOND,
                         (2**63 - 1) * MICROSECOND, -(2**63 - 1) * MICROSECOND]),
    "mark": (UUID, [UUID(int=0), UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)]),
    "color": (Color, list(Color)),
    "level": (Level, list(Level)),
    "rating": (Literal[1, 2, 3], [1, 2, 3]),
    "blob": (bytes, [b"", b"\0", b"a", b"A", b"\xff", b"a\0b", b"a\0"]),
}  # fmt: skip


def _things() -> Model:
    annotations: dict[str, Any] = {"meta": dict[str, Any] | None, "tags": list[int]}
    for name, (type_, _) in POOLS.items():
        annotations[name] = type_
        annotations[f"maybe_{name}"] = type_ | None
    return declare(type("Thing", (), {"__annotations__": annotations}))


THING = _things()
NAMES = tuple(name for name in THING.names if name not in {"id", "meta", "tags"})
NUMBERS = tuple(
    name
    for name in NAMES
    if THING.field(name).type.stored_kind in {Kind.INT, Kind.FLOAT, Kind.DECIMAL}
)


def _rows(count: int) -> list[dict[str, Any]]:
    chance = random.Random(11)  # noqa: S311  # rows, not secrets
    rows: list[dict[str, Any]] = []
    for key in range(1, count + 1):
        row: dict[str, Any] = {"id": key, "tags": [key]}
        row["meta"] = {"a": key} if key % 3 else None
        for name in NAMES:
            is_none = name.startswith("maybe_") and chance.random() < 0.3
            value = chance.choice(POOLS[name.removeprefix("maybe_")][1])
            row[name] = THING.field(name).check(None if is_none else value, "test")
        rows.append(row)
    return rows


ROWS = _rows(60)


# -- an evaluator of its own ------------------------------------------------------


def plain(value: Any) -> Any:
    """Return what is stored of a choice."""
    return value.value if isinstance(value, Enum) else value


def least(value: Any) -> tuple[bool, Any]:
    """Return what sorts as the databases do: None first."""
    return (False, 0) if value is None else (True, plain(value))


def total(values: Sequence[Any]) -> Any:
    if isinstance(values[0], float):
        return math.fsum(values)
    exact = sum(map(Fraction, values), Fraction())
    if isinstance(values[0], int):
        return int(exact)
    return exact


def mean(values: Sequence[Any]) -> Any:
    if isinstance(values[0], float):
        return math.fsum(values) / len(values)
    scale = max(-int(Decimal(each).as_tuple().exponent) for each in values)
    exact = sum(map(Fraction, values), Fraction()) / len(values)
    context = Context(prec=5_000, rounding=ROUND_HALF_UP)
    unit = Decimal(1).scaleb(-scale - 16, context)
    # Many more digits than are kept, so that rounding twice is rounding once.
    long = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return long.quantize(unit, context=context)


FUNCTIONS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "$sum": total,
    "$avg": mean,
    "$min": lambda values: min(values, key=plain),
    "$max": lambda values: max(values, key=plain),
}


def computed(function: str, name: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    if name == "*":
        return len(rows)
    values = [row[name] for row in rows if row[name] is not None]
    if function == "$count":
        return len(values)
    if function == "$countDistinct":
        return len({*values})
    if function in {"$sum", "$avg"}:
        values = list(map(plain, values))
    return FUNCTIONS[function](values) if values else None


def grouped(
    rows: Iterable[Mapping[str, Any]],
    by: Sequence[str],
    aggregates: Mapping[str, tuple[str, str]],
) -> list[dict[str, Any]]:
    """Group rows as the databases do, in the order of the groups' fields."""
    members: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        members.setdefault(tuple(row[name] for name in by), []).append(row)
    if not by and not members:
        members[()] = []
    ordered = sorted(members.items(), key=lambda item: [*map(least, item[0])])
    return [
        dict(zip(by, key, strict=True))
        | {alias: computed(*asked, group) for alias, asked in aggregates.items()}
        for key, group in ordered
    ]


def is_alike(value: Any, expected: Any) -> bool:
    """Whether a result is the one expected; floats are added in any order."""
    if isinstance(expected, float):
        is_close = math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-300)
        return type(value) is float and is_close
    if isinstance(expected, Fraction):
        return type(value) is Decimal and Fraction(value) == expected
    # asyncpg has a UUID of its own.
    return isinstance(value, type(expected)) and value == expected


# -- what is asked ----------------------------------------------------------------


def _asked(draw: st.DrawFn) -> tuple[str, str]:
    function = draw(
        st.sampled_from(["$count", "$countDistinct", "$sum", "$avg", "$min", "$max"])
    )
    if function == "$count":
        return function, draw(st.sampled_from(["*", *THING.names]))
    if function in {"$sum", "$avg"}:
        return function, draw(st.sampled_from(NUMBERS))
    return function, draw(st.sampled_from(NAMES))


ALIASES = st.text(
    st.characters(codec="utf-8", exclude_characters=".$"), min_size=1, max_size=5
).filter(lambda alias: alias not in THING.names) | st.sampled_from(
    ["g0", "a0", "groups", "select", "\0", "}{", "n"]
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[str], dict[str, tuple[str, str]]]:
    by = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    aliases = draw(st.lists(ALIASES, min_size=1, max_size=6, unique=True))
    return by, {alias: _asked(draw) for alias in aliases}


SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def written(aggregates: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    return {alias: {function: of} for alias, (function, of) in aggregates.items()}


def groups_of(by: Sequence[str], aggregates: Mapping[str, tuple[str, str]]) -> Groups:
    fields = [THING.field(name) for name in by]
    return Groups(THING, fields, parse_aggregates(written(aggregates), THING, by))


async def ask(
    driver: Driver, groups: Groups, where: Any = None, **how: Any
) -> list[dict[str, Any]]:
    table = table_of(groups.model, driver.dialect)
    statement = table.select_groups(groups, parse(where, groups.model), **how)
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([statement])
    return [*result.rows]


@pytest.fixture
async def filled(drivers: tuple[Driver, Driver]) -> tuple[Driver, Driver]:
    """Give both databases with the same rows in them."""
    for driver in drivers:
        await ensure_table(driver, THING)
        statement = table_of(THING, driver.dialect).insert_many(THING.names, ROWS)
        async with driver.acquire() as connection:
            await connection.run([statement])
    return drivers


EVERY = {
    f"{function}{name}": (function, name)
    for function in ("$sum", "$avg", "$min", "$max", "$countDistinct")
    for name in (NAMES if function not in {"$sum", "$avg"} else NUMBERS)
}


def chunks() -> list[dict[str, tuple[str, str]]]:
    items = [(alias.replace("$", "of "), asked) for alias, asked in EVERY.items()]
    return [dict(items[at : at + 50]) for at in range(0, len(items), 50)]


async def test_every_function_of_every_field_is_what_python_makes_of_it(
    filled: tuple[Driver, Driver],
) -> None:
    for aggregates in chunks():
        for by in ([], ["maybe_color"]):
            expected = grouped(ROWS, by, aggregates)
            for driver in filled:
                found = await ask(
                    driver,
                    (groups := groups_of(by, aggregates)),
                    order=groups.order(None),
                )

                assert len(found) == len(expected)
                for row, other in zip(found, expected, strict=True):
                    wrong = [k for k in other if not is_alike(row[k], other[k])]
                    assert wrong == [], driver.dialect.name


@SETTINGS
@given(question=questions(), least_id=st.sampled_from([0, 30, 55, 60]))
@example(question=([], {"n": ("$count", "*")}), least_id=60)
@example(question=(["text"], {"n": ("$count", "*")}), least_id=60)
async def test_groups_are_those_of_python_in_the_order_of_their_fields(
    filled: tuple[Driver, Driver],
    question: tuple[list[str], dict[str, tuple[str, str]]],
    least_id: int,
) -> None:
    by, aggregates = question
    expected = grouped((row for row in ROWS if row["id"] > least_id), by, aggregates)
    groups = groups_of(by, aggregates)
    for driver in filled:
        found = await ask(
            driver, groups, {"id": {"$gt": least_id}}, order=groups.order(None)
        )

        assert [[*row] for row in found] == [[*row] for row in expected]
        for row, other in zip(found, expected, strict=True):
            assert [k for k in other if not is_alike(row[k], other[k])] == []


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$eq": operator.eq,
    "$ne": operator.ne,
}
EXACT = tuple(n for n in NUMBERS if THING.field(n).type.stored_kind is not Kind.FLOAT)


@SETTINGS
@given(
    by=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
    function=st.sampled_from(["$sum", "$avg", "$min", "$max", "$countDistinct"]),
    name=st.sampled_from(EXACT),
    comparison=st.sampled_from([*COMPARISONS]),
    place=st.integers(0, 20),
    is_descending=st.booleans(),
    nulls=st.sampled_from([None, "first", "last"]),
    limit=st.none() | st.integers(0, 5),
    offset=st.integers(0, 3),
)
async def test_having_and_order_are_those_of_python_however_large_the_numbers(
    filled: tuple[Driver, Driver],
    *,
    by: list[str],
    function: str,
    name: str,
    comparison: str,
    place: int,
    is_descending: bool,
    nulls: str | None,
    limit: int | None,
    offset: int,
) -> None:
    groups = groups_of(by, {"it": (function, name)})
    every = grouped(ROWS, by, {"it": (function, name)})
    bound = every[place % len(every)]["it"]
    if isinstance(bound, Fraction):
        context = Context(prec=5_000)
        bound = context.divide(Decimal(bound.numerator), Decimal(bound.denominator))
    try:
        having = groups.having(
            {"it": {"$null": False} if bound is None else {comparison: bound}}
        )
    except ValueError:  # more digits than a value may have
        return

    def passes(value: Any) -> bool:
        if bound is None:
            return value is not None
        if value is None:
            return comparison == "$ne"
        return COMPARISONS[comparison](Fraction(plain(value)), Fraction(plain(bound)))

    expected = [row for row in every if passes(row["it"])]
    has_nulls_last = is_descending if nulls is None else nulls == "last"
    there = [row for row in expected if row["it"] is not None]
    there.sort(key=lambda row: plain(row["it"]), reverse=is_descending)
    absent = [row for row in expected if row["it"] is None]
    expected = there + absent if has_nulls_last else absent + there
    expected = expected[offset:][:limit]
    order = groups.order(
        [{"field": "it", "order": "desc" if is_descending else "asc", "nulls": nulls}]
    )
    for driver in filled:
        found = await ask(
            driver, groups, having=having, order=order, limit=limit, offset=offset
        )

        assert [[row[n] for n in by] for row in found] == [
            [row[n] for n in by] for row in expected
        ]


async def test_having_takes_the_whole_language_of_filters(
    filled: tuple[Driver, Driver],
) -> None:
    aggregates = {"n": ("$count", "*"), "least": ("$min", "maybe_text")}
    aggregates |= {"top": ("$max", "text"), "money": ("$sum", "money")}
    groups = groups_of(["text"], aggregates)
    for given_having in (
        {"text": {"$in": ["a", "é"]}},
        {"top": {"$regex": "^[a-z]$"}, "n": {"$gte": 2}},
        {"$or": [{"text": ""}, {"least": {"$startsWith": "a"}}]},
        {"$not": {"n": {"$lt": 6}}},
        {"top": {"$field": "text"}, "n": {"$mod": [2, 0]}},
        {"money": {"$between": [Decimal(-5), 10**17]}},
    ):
        found = [
            await ask(
                driver,
                groups,
                having=groups.having(given_having),
                order=groups.order(None),
            )
            for driver in filled
        ]

        assert found[0] == found[1]
        assert 0 < len(found[0]) < 11


async def test_distinct_groups_are_counted(filled: tuple[Driver, Driver]) -> None:
    groups = groups_of(["maybe_free", "maybe_flag"], {"n": ("$count", "*")})
    expected = {(row["maybe_free"], row["maybe_flag"]) for row in ROWS}
    for driver in filled:
        statement = table_of(THING, driver.dialect).count_groups(groups)
        async with driver.acquire(write=False) as connection:
            (result,) = await connection.run([statement])

        assert result.rows[0][0] == len(expected)


class Sale:
    number: int | None
    money: Annotated[Decimal, Digits(10, 2)] | None
    free: Decimal | None
    real: float | None
    text: str


SALE = declare(Sale)
BY_HAND = {
    "postgresql": "CREATE TABLE sales (id bigint, number smallint, money numeric, "
    'free numeric, real real, text text COLLATE "unicode")',
    "sqlite": "CREATE TABLE sales (id INTEGER, number INT, money, free TEXT, "
    "real REAL, text TEXT)",
}


async def test_a_table_made_by_hand_is_summed_alike(
    drivers: tuple[Driver, Driver],
) -> None:
    numbers = [30_000, 30_001, None]
    rows = [
        {
            "id": key,
            "number": number,
            "money": Decimal(key),
            "free": Decimal(number or 0),
            "real": 0.5,
            "text": text,
        }
        for key, (number, text) in enumerate(zip(numbers, "aBb", strict=True), 1)
    ]
    aggregates = parse_aggregates(
        {
            "n": {"$sum": "number"},
            "mean": {"$avg": "number"},
            "money": {"$sum": "money"},
            "free": {"$avg": "free"},
            "real": {"$sum": "real"},
            "last": {"$max": "text"},
        },
        SALE,
        (),
    )
    groups = Groups(SALE, (), aggregates)
    for driver in drivers:
        table = table_of(SALE, driver.dialect)
        create = Statement(BY_HAND[driver.dialect.name])
        async with driver.acquire() as connection:
            await connection.run([create, table.insert_many(SALE.names, rows)])
        having = groups.having({"n": 60_001, "mean": {"$gt": 3}, "real": {"$gte": 1.5}})

        assert await ask(driver, groups, having=having) == [
            {
                "n": 60_001,
                "mean": Decimal("30000.5"),
                "money": Decimal(6),
                "free": Decimal("20000.3333333333333333"),
                "real": 1.5,
                "last": "b",
            }
        ]
