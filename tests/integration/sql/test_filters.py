"""Filters hold on both databases as they do for an evaluator in Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracle import FLOATS, INTS, PATTERNS, POOLS, TEXTS, lets_through, pool_of

from dataflow.drivers import Driver
from dataflow.models import Model, declare
from dataflow.schema import ensure_table
from dataflow.sql import And, Filter, Result, matcher, parse, table_of

# What a filter means does not depend on the event loop.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


def _things() -> Model:
    annotations: dict[str, Any] = {}
    for name, (type_, _) in POOLS.items():
        annotations[name] = type_
        annotations[f"maybe_{name}"] = type_ | None
    return declare(type("Thing", (), {"__annotations__": annotations}))


THING = _things()
NAMES = tuple(name for name in THING.names if name != "id")


def _rows(count: int) -> list[dict[str, Any]]:
    """Return rows that meet each other's values, and a filter's, often."""
    chance = random.Random(5)  # noqa: S311  # rows, not secrets
    rows: list[dict[str, Any]] = []
    for key in range(1, count + 1):
        row = {"id": key}
        for name in NAMES:
            is_none = name.startswith("maybe_") and chance.random() < 0.25
            value = None if is_none else chance.choice(pool_of(name))
            row[name] = THING.field(name).check(value, "test")
        rows.append(row)
    return rows


ROWS = _rows(120)


# -- filters ----------------------------------------------------------------------

FULL: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    "number": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "money": st.decimals(-(10**15), 10**15, places=2),
    "wide": st.decimals(-(10**20), 10**20, places=5),
    "free": st.decimals(allow_nan=False, allow_infinity=False, places=3),
    "instant": st.datetimes(timezones=st.just(UTC)),
    "mark": st.uuids(),
    "blob": st.binary(max_size=4),
}
LIKES = st.lists(
    st.sampled_from(["a", "b", "é", "%", "_", "\\%", "\\_", "\\\\", "\\a", "*", "?", "[", "]", "A"]),
    max_size=4,
).map("".join)  # fmt: skip
BITS = st.text("abAé%_\\*[?\U0001f600", max_size=2) | st.sampled_from(TEXTS)
OF_ALL = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
OF_TEXT = {
    "$like": LIKES,
    "$regex": st.sampled_from(list(PATTERNS)),
    "$contains": BITS,
    "$startsWith": BITS,
    "$endsWith": BITS,
}


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return left | right


def _under(word: str, parts: list[Any]) -> dict[str, Any]:
    return {word: parts}


def _operators(name: str) -> st.SearchStrategy[dict[str, Any]]:
    bare = name.removeprefix("maybe_")
    value = st.sampled_from(pool_of(name))
    value = value | FULL[bare] if bare in FULL else value
    operands: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(OF_ALL, value)
    operands |= dict.fromkeys(("$null", "$exists"), st.booleans())
    operands |= dict.fromkeys(("$in", "$nin"), st.lists(value | st.none(), max_size=4))
    operands |= dict.fromkeys(("$eq", "$ne"), value | st.none())
    operands["$between"] = st.tuples(value, value)
    operands |= OF_TEXT
    if bare != "text":
        operands = {
            name: each for name, each in operands.items() if name not in OF_TEXT
        }
    one = st.sampled_from(sorted(operands)).flatmap(
        lambda operator: operands[operator].map(lambda operand: {operator: operand})
    )
    negated = one.map(lambda inner: {"$not": inner})
    return one | negated | st.builds(_merged, one, one)


BEHIND = {name: _operators(name) for name in NAMES}
# Text has the most ways to be asked for.
COLUMNS = st.sampled_from(NAMES) | st.sampled_from(["text", "maybe_text"])
LEAVES = COLUMNS.flatmap(
    lambda name: (BEHIND[name] | st.sampled_from(pool_of(name))).map(
        lambda condition: {name: condition}
    )
)


def _joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(
            _under,
            st.sampled_from(["$and", "$or", "$nor"]),
            several,
        ),
        inner.map(lambda part: {"$not": part}),
        st.builds(_merged, inner, inner),
    )


FILTERS = st.recursive(LEAVES, _joined, max_leaves=8)

SETTINGS = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # examples only read
        HealthCheck.too_slow,
    ],
)


@pytest.fixture
async def filled(drivers: tuple[Driver, Driver]) -> tuple[Driver, Driver]:
    """Give both databases with the same rows in them."""
    names = ("id", *NAMES)
    for driver in drivers:
        await ensure_table(driver, THING)
        statement = table_of(THING, driver.dialect).insert_many(names, ROWS)
        async with driver.acquire() as connection:
            await connection.run([statement])
    return drivers


async def keys(driver: Driver, *filters: Filter) -> list[list[int]]:
    """Return the keys of the rows each filter lets through, in order."""
    table = table_of(THING, driver.dialect)
    statements = [
        table.select(each, names=("id",), order=table.key_order) for each in filters
    ]
    async with driver.acquire(write=False) as connection:
        results: Sequence[Result] = await connection.run(statements)
    return [[row[0] for row in result.rows] for result in results]


@SETTINGS
@given(given_filter=FILTERS)
@example(
    {
        "text": {"$in": TEXTS},
        "number": {"$in": INTS},
        "$or": [{"real": {"$in": FLOATS}}],
    }
)
@example(
    {"maybe_text": {"$nin": [None]}, "maybe_free": {"$nin": [Decimal("1.500"), None]}}
)
async def test_both_databases_and_python_let_the_same_rows_through(
    filled: tuple[Driver, Driver], given_filter: dict[str, Any]
) -> None:
    sqlite, postgres = filled
    part = parse(given_filter, THING)
    expected = [row["id"] for row in ROWS if lets_through(given_filter, row)]
    lets = matcher(part)

    assert [row["id"] for row in ROWS if lets(row)] == expected
    assert (await keys(sqlite, part))[0] == expected
    assert (await keys(postgres, part))[0] == expected


@settings(SETTINGS, max_examples=100)
@given(left=FILTERS, right=FILTERS)
async def test_a_filter_and_its_negation_part_the_rows(
    filled: tuple[Driver, Driver], left: dict[str, Any], right: dict[str, Any]
) -> None:
    everything = [row["id"] for row in ROWS]
    filters = [
        parse(each, THING)
        for each in (
            left,
            {"$not": left},
            {"$nor": [left, right]},
            {"$and": [{"$not": left}, {"$not": right}]},
        )
    ]
    for driver in filled:
        yes, no, neither, none = await keys(driver, *filters)
        (both,) = await keys(driver, And(tuple(filters[:2])))

        assert sorted(yes + no) == everything
        assert both == []
        assert neither == none


def _table_of_all() -> list[dict[str, Any]]:
    """Return every operator on every column, with the values most likely to part them."""
    filters: list[dict[str, Any]] = []
    for name in NAMES:
        pool = pool_of(name)
        operands: dict[str, list[Any]] = dict.fromkeys(OF_ALL, pool)
        some = [[], [None], pool, [pool[0], None], pool[1:]]
        operands |= {"$null": [True, False], "$exists": [True, False]}
        operands |= {"$in": some, "$nin": some}
        operands["$between"] = list(zip(pool, reversed(pool), strict=True))
        operands["$regex"] = list(PATTERNS)
        operands["$like"] = [
            "",
            "a%",
            "%b",
            "a_b",
            "A",
            "%\\%%",
            "_",
            "\\[a]",
            "*",
            "[[]a]",
            "%\n%",
        ]
        if name.removeprefix("maybe_") != "text":
            operands = {
                each: operands[each] for each in operands.keys() - OF_TEXT.keys()
            }
        filters += [
            {name: {operator: operand}}
            for operator, values in operands.items()
            for operand in values
        ]
    return filters


async def test_every_operator_means_the_same_for_every_type(
    filled: tuple[Driver, Driver],
) -> None:
    filters = _table_of_all()
    parts = [parse(each, THING) for each in filters]
    expected = [
        [row["id"] for row in ROWS if lets_through(each, row)] for each in filters
    ]
    in_python = [[row["id"] for row in ROWS if matcher(part)(row)] for part in parts]
    for found in (in_python, *[await keys(driver, *parts) for driver in filled]):
        wrong = [
            each
            for each, *pair in zip(filters, found, expected, strict=True)
            if pair[0] != pair[1]
        ]

        assert wrong == []
