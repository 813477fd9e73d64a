"""Orders and cursors mean the same on both databases."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.drivers import Driver
from dataflow.models import Digits, declare
from dataflow.schema import ensure_table
from dataflow.sql import (
    ALL,
    Cursor,
    Filter,
    Statement,
    Term,
    conjunction,
    parse,
    parse_order,
    table_of,
)

# What an order means does not depend on the event loop.
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


class Color(Enum):
    RED = "red"
    BLUE = "Blue"


class Item:
    text: str
    maybe_text: str | None
    number: int | None
    real: float | None
    flag: bool | None
    money: Annotated[Decimal, Digits(10, 2)] | None
    free: Decimal | None
    instant: datetime | None
    mark: UUID | None
    color: Color | None
    blob: bytes | None


KEY = b"signs cursors"
ITEM = declare(Item)
TEXTS = [
    "",
    "a",
    "A",
    "B",
    "b",
    "aa",
    "é",
    "É",
    "ä",
    "_",
    "\U0001f600",
    "\uffff",
    "a b",
    "a-b",
]
POOLS: dict[str, list[Any]] = {
    "text": TEXTS,
    "maybe_text": TEXTS,
    "number": [0, -1, 9, 10, 2**63 - 1, -(2**63), 2**53 + 1, 2**53],
    "real": [0.1, -0.5, 1e300, 5e-324, 3.0, 0.30000000000000004],
    "flag": [True, False],
    "money": [Decimal("9.99"), Decimal("10.00"), Decimal("-1.50")],
    "free": [
        Decimal(each) for each in ("9", "10", "1.5", "1.50", "-10", "1e30", "1e-30")
    ],
    "instant": [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1969, 2026, 9999)],
    "mark": [UUID(int=0), UUID(int=2**127), UUID(int=9)],
    "color": list(Color),
    "blob": [b"", b"\0", b"a", b"\xff"],
}


def _rows() -> list[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311  # rows, not secrets
    rows: list[dict[str, Any]] = []
    for key in range(1, 41):
        row = {"id": key}
        for name, pool in POOLS.items():
            is_none = ITEM.field(name).is_nullable and chance.random() < 0.3
            value = None if is_none else chance.choice(pool)
            row[name] = ITEM.field(name).check(value, "test")
        rows.append(row)
    return rows


ROWS = _rows()
ORDERS = st.lists(
    st.fixed_dictionaries(
        {"field": st.sampled_from(ITEM.names), "order": st.sampled_from([1, -1])},
        optional={"nulls": st.sampled_from(["first", "last"])},
    ),
    max_size=4,
    unique_by=lambda term: term["field"],
)
SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def ordered(terms: Sequence[Term]) -> list[int]:
    """Return the keys in the order of *terms*, as Python sees it; None is least."""
    rows = list(ROWS)
    for term in reversed(terms):
        rows.sort(
            key=lambda row: _least(row[term.field.name]), reverse=term.is_descending
        )
        if term.nulls_last is not None:
            last = term.nulls_last
            rows.sort(key=lambda row: (row[term.field.name] is None) is last)
    return [row["id"] for row in rows]


def _least(value: Any) -> tuple[bool, Any]:
    stored = value.value if isinstance(value, Enum) else value
    return (False, 0) if stored is None else (True, stored)


@pytest.fixture
async def filled(drivers: tuple[Driver, Driver]) -> tuple[Driver, Driver]:
    """Give both databases with the same rows in them."""
    for driver in drivers:
        await ensure_table(driver, ITEM)
        statement = table_of(ITEM, driver.dialect).insert_many(ITEM.names, ROWS)
        async with driver.acquire() as connection:
            await connection.run([statement])
    return drivers


async def page(
    driver: Driver, where: Filter, order: Sequence[Term], limit: int | None = None
) -> list[dict[str, Any]]:
    table = table_of(ITEM, driver.dialect)
    statement = table.select(where, order=order, limit=limit)
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([statement])
    return [table.decode(row) for row in result.rows]


@SETTINGS
@given(order=ORDERS)
async def test_null_is_least_and_text_goes_by_code_point(
    filled: tuple[Driver, Driver], order: list[dict[str, Any]]
) -> None:
    terms = parse_order(order, ITEM)
    for driver in filled:
        rows = await page(driver, ALL, terms)

        assert [row["id"] for row in rows] == ordered(terms)


@settings(SETTINGS, max_examples=100)
@given(order=ORDERS, size=st.integers(1, 45), least=st.integers(0, 9))
async def test_pages_of_any_size_make_up_the_whole_list(
    filled: tuple[Driver, Driver],
    order: list[dict[str, Any]],
    size: int,
    least: int,
) -> None:
    terms = parse_order(order, ITEM)
    given_filter = {"id": {"$gt": least}}
    for driver in filled:
        walked = [key async for key in walk(driver, terms, given_filter, size)]

        assert walked == [key for key in ordered(terms) if key > least]


async def walk(
    driver: Driver, terms: Sequence[Term], given_filter: Any, size: int
) -> AsyncIterator[int]:
    where = parse(given_filter, ITEM)
    rest: Filter = ALL
    while rows := await page(driver, conjunction((where, rest)), terms, size):
        for row in rows:
            yield row["id"]
        text = Cursor.of(terms, given_filter, rows[-1]).text(KEY)
        rest = Cursor.filter(text, terms, given_filter, key=KEY)


class Word:
    text: str
    free: Decimal


WORD = declare(Word)
BY_HAND = {
    # Where "a" comes before "B", and \\w is more than ASCII.
    "postgresql": 'CREATE TABLE words (id bigint, text text COLLATE "unicode", free numeric)',
    "sqlite": "CREATE TABLE words (id INTEGER, text TEXT, free TEXT)",
}


async def test_a_table_made_by_hand_is_ordered_and_compared_alike(
    drivers: tuple[Driver, Driver],
) -> None:
    rows = [
        {"id": key, "text": text, "free": Decimal(free)}
        for key, text, free in (
            (1, "a", "10"),
            (2, "B", "9"),
            (3, "é", "9.50"),
            (4, "b", "9.5"),
        )
    ]
    conditions: dict[str, tuple[Any, list[int]]] = {
        "text": ({"text": {"$gt": "B"}}, [1, 4, 3]),
        "-text": ({"text": {"$between": ["B", "b"]}}, [4, 1, 2]),
        "free": ({"free": {"$in": [Decimal("9.500"), Decimal(10)]}}, [3, 4, 1]),
        "-free": ({"free": {"$ne": Decimal("9.5")}}, [1, 2]),
        "id": ({"text": {"$regex": r"^\w$"}}, [1, 2, 4]),
    }
    for driver in drivers:
        table = table_of(WORD, driver.dialect)
        create = Statement(BY_HAND[driver.dialect.name])
        async with driver.acquire() as connection:
            await connection.run([create, table.insert_many(WORD.names, rows)])
            for order, (condition, expected) in conditions.items():
                terms = parse_order(order, WORD)
                statement = table.select(parse(condition, WORD), order=terms)
                (result,) = await connection.run([statement])

                assert [row[0] for row in result.rows] == expected
