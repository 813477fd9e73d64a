"""What the databases limit is kept, and input never becomes SQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest

from dataflow.drivers import Driver
from dataflow.errors import FilterError
from dataflow.models import Digits, declare
from dataflow.schema import ensure_table
from dataflow.sql import (
    And,
    Compare,
    Comparison,
    Cursor,
    Filter,
    Groups,
    Or,
    parse,
    parse_aggregates,
    parse_order,
    raw_statement,
    table_of,
)

# What a statement does not depend on the event loop.
pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Sample:
    number: int
    text: str | None = None
    real: float | None = None
    blob: bytes | None = None
    free: Decimal | None = None
    money: Annotated[Decimal, Digits(10, 2)] | None = None
    mark: UUID | None = None
    instant: datetime | None = None


KEY = b"signs cursors"
SAMPLE = declare(Sample)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


async def store(driver: Driver, rows: Sequence[dict[str, Any]]) -> None:
    await ensure_table(driver, SAMPLE)
    statement = table_of(SAMPLE, driver.dialect).insert_many(tuple(rows[0]), rows)
    async with driver.acquire() as connection:
        await connection.run([statement])


async def keys(driver: Driver, where: Filter) -> list[int]:
    table = table_of(SAMPLE, driver.dialect)
    statement = table.select(where, order=table.key_order, names=("id",))
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([statement])
    return [row[0] for row in result.rows]


# -- long lists -------------------------------------------------------------------


VALUES: dict[str, Callable[[int], Any]] = {
    "number": lambda number: 2**53 + number,
    "real": lambda number: number / 7,
    "blob": lambda number: number.to_bytes(4),
    "free": lambda number: Decimal(number).scaleb(-30),
    "money": lambda number: Decimal(number).scaleb(-2),
    "mark": lambda number: UUID(int=number),
    "instant": lambda number: EPOCH + timedelta(microseconds=number),
    "text": "é\U0001f600\x01{}".format,
}


@pytest.mark.parametrize("name", VALUES)
async def test_a_list_of_ten_thousand_values_finds_its_rows(
    driver: Driver, name: str
) -> None:
    rows = [{"number": 0, name: VALUES[name](3 * number)} for number in range(30)]
    await store(driver, rows)
    values = [VALUES[name](number) for number in range(2, 10_002)]
    found = await keys(driver, parse({name: {"$in": values}}, SAMPLE))
    others = await keys(driver, parse({name: {"$nin": values}}, SAMPLE))

    assert found == list(range(2, 31))
    assert others == [1]


async def test_a_list_of_fifty_thousand_numbers_finds_its_rows(driver: Driver) -> None:
    await store(driver, [{"number": 2**63 - 1}, {"number": 1}])
    values = [2**63 - 1 - number for number in range(50_000)]

    assert await keys(driver, parse({"number": {"$in": values}}, SAMPLE)) == [1]


async def test_more_values_than_a_statement_takes_are_refused(driver: Driver) -> None:
    values = [number / 7 for number in range(10_000)]
    part = parse({"$or": [{"real": {"$in": values}} for _ in range(4)]}, SAMPLE)
    if driver.dialect.name == "postgresql":  # takes a list as one parameter
        await store(driver, [{"number": 1, "real": 1 / 7}])

        assert await keys(driver, part) == [1]
        return
    with pytest.raises(FilterError, match="at most 32766 values"):
        table_of(SAMPLE, driver.dialect).select(part)


# -- shapes -----------------------------------------------------------------------


def _chain(word: str, depth: int, *, siblings: int = 0, first: bool = True) -> Any:
    """Return a filter that nests *depth* levels deep, with siblings on each."""
    inner: dict[str, Any] = {"number": 1}
    for _ in range(depth - 1):
        others = [{"number": {"$gt": 0, "$lt": 3}} for _ in range(siblings)]
        if word == "$not":
            inner = {"number": {"$ne": 7}, "$not": inner}
        else:
            inner = {word: [*others, inner] if first else [inner, *others]}
    return inner


def _mixed(depth: int) -> Any:
    inner: dict[str, Any] = {"number": 1}
    for level in range(depth - 1):
        word = ("$or", "$and", "$nor", "$not")[level % 4]
        if word == "$not":
            inner = {"text": {"$not": {"$contains": "x"}}, "$not": inner}
        else:
            inner = {
                "number": {"$in": [1, 2]},
                word: [{"number": 9}, inner, {"real": 0.5}],
            }
    return inner


def _tree(depth: int) -> Any:
    if depth == 0:
        return {"number": 1, "real": None}
    word = "$or" if depth % 2 else "$nor"
    return {word: [_tree(depth - 1), _tree(depth - 1)]}


SHAPES: dict[str, Any] = {
    "wide or": {"$or": [{"number": number} for number in range(999)]},
    "wide and": {"$and": [{"number": {"$ne": -number}} for number in range(1, 500)]},
    "wide not": {"$nor": [{"number": {"$not": {"$gt": 5}}} for _ in range(300)]},
    "deep and": _chain("$and", 32),
    "deep or": _chain("$or", 32, siblings=10),
    "deep or behind": _chain("$or", 32, siblings=10, first=False),
    "deep nor": _chain("$nor", 32, siblings=10),
    "deep not": _chain("$not", 32),
    "deep mixed": _mixed(32),
    "binary tree": _tree(8),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_filter_of_the_largest_shape_runs_on_both(
    drivers: tuple[Driver, Driver], shape: str
) -> None:
    rows = [{"number": number, "real": None} for number in range(4)]
    found: list[list[int]] = []
    for driver in drivers:
        await store(driver, rows)
        where = parse(SHAPES[shape], SAMPLE)
        found.append(await keys(driver, where))
        order = parse_order(["text", "real", "number"], SAMPLE)
        row = {"text": None, "real": None, "number": 0, "id": 0}
        rest = Cursor.filter(Cursor.of(order, {}, row).text(KEY), order, {}, key=KEY)
        found.append(await keys(driver, And((where, rest))))

    assert found[:2] == found[2:]


@pytest.mark.parametrize("shape", SHAPES)
async def test_groups_of_and_behind_a_filter_of_the_largest_shape_are_alike(
    drivers: tuple[Driver, Driver], shape: str
) -> None:
    fields = [SAMPLE.field(name) for name in ("number", "text", "real")]
    counts = parse_aggregates({"n": {"$count": "*"}}, SAMPLE, ())
    groups = Groups(SAMPLE, fields, counts)
    where, having = parse(SHAPES[shape], SAMPLE), groups.having(SHAPES[shape])
    order = groups.order("text, -n")
    found: list[Sequence[Any]] = []
    for driver in drivers:
        await store(driver, [{"number": each % 4, "real": None} for each in range(9)])
        statement = table_of(SAMPLE, driver.dialect).select_groups(
            groups, where, having=having, order=order
        )
        async with driver.acquire(write=False) as connection:
            (result,) = await connection.run([statement])
        found.append(result.rows)

    assert found[0] == found[1]


async def test_a_thousand_pairs_of_values_run_on_both(
    drivers: tuple[Driver, Driver],
) -> None:
    number, text = SAMPLE.field("number"), SAMPLE.field("text")
    pairs = tuple(
        And(
            (
                Compare(number, Comparison.EQ, each),
                Compare(text, Comparison.EQ, str(each)),
            )
        )
        for each in range(1_000)
    )
    for driver in drivers:
        await store(driver, [{"number": 7, "text": "7"}, {"number": 7, "text": "8"}])

        assert await keys(driver, Or(pairs)) == [1]


async def test_random_shapes_within_the_limits_run_on_both(
    drivers: tuple[Driver, Driver],
) -> None:
    chance = random.Random(3)  # noqa: S311  # shapes, not secrets

    def grow(depth: int, share: int) -> dict[str, Any]:
        if depth <= 1 or share <= 2:
            return {"number": chance.choice([{"$between": [1, 2]}, {"$ne": 1}, 1])}
        if chance.random() < 0.2:
            return {"$not": grow(depth - 1, share - 1), "number": {"$lt": 9}}
        word = chance.choice(["$and", "$or", "$nor"])
        deep = grow(depth - 1, share * 3 // 4)
        rest = [
            grow(chance.randrange(4), share // 16) for _ in range(chance.randrange(4))
        ]
        return {word: chance.sample([deep, *rest], len(rest) + 1)}

    filters = [grow(32, 900) for _ in range(60)]
    found: list[list[list[int]]] = []
    for driver in drivers:
        await store(driver, [{"number": number} for number in range(4)])
        found.append([await keys(driver, parse(each, SAMPLE)) for each in filters])

    assert found[0] == found[1]


# -- injection --------------------------------------------------------------------

HOSTILE = [
    "'; DROP TABLE samples; --",
    '"; DROP TABLE samples; --',
    "x' OR '1'='1",
    "') OR 1=1 --",
    "\\'; DROP TABLE samples; --",
    "$1",
    "?1",
    ":number",
    "%s",
    "{place} {column}",
    "${number}",
    "/* */",
    "--",
    "NULL",
    "1; SELECT pg_sleep(10)",
    "number = 1",
    "'||(SELECT 1)||'",
    "\u02bc; DROP TABLE samples",
]


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_text_is_a_value_like_any_other(
    driver: Driver, hostile: str
) -> None:
    await store(driver, [{"number": 1, "text": hostile}, {"number": 2, "text": "x"}])
    escaped = hostile.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    conditions: list[Any] = [
        hostile,
        {"$in": [hostile]},
        {"$like": escaped},
        {"$contains": hostile},
        {"$startsWith": hostile},
        {"$endsWith": hostile},
        {"$between": [hostile, hostile]},
    ]
    for condition in conditions:
        assert await keys(driver, parse({"text": condition}, SAMPLE)) == [1]


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_hostile_pattern_or_place_leaves_the_table_as_it_is(
    driver: Driver, hostile: str
) -> None:
    await store(driver, [{"number": 1, "text": "x"}])
    order = parse_order("text", SAMPLE)
    row = {"text": hostile, "id": 0}
    filters = [
        {"text": {"$like": hostile.replace("\\", "")}},
        {"text": {"$regex": "^" + "".join(f"[{sign}]" for sign in "a';-\"")}},
    ]
    for each in filters:
        assert await keys(driver, parse(each, SAMPLE)) in ([], [1])
    await keys(
        driver, Cursor.filter(Cursor.of(order, {}, row).text(KEY), order, {}, key=KEY)
    )

    assert await keys(driver, parse({}, SAMPLE)) == [1]


# -- raw SQL ----------------------------------------------------------------------


async def test_raw_sql_reads_the_values_that_models_store(driver: Driver) -> None:
    await store(
        driver, [{"number": 5, "mark": UUID(int=5), "instant": EPOCH, "text": "$1"}]
    )
    text = (
        "SELECT id -- $9, it's\n FROM samples "
        "WHERE number = $1 AND mark = $2 AND instant = $3 AND text = '$1' /* $8 */"
    )
    statement = raw_statement(text, (5, UUID(int=5), EPOCH), driver.dialect)
    async with driver.acquire() as connection:
        (result,) = await connection.run([statement])

    assert [tuple(row) for row in result.rows] == [(1,)]
    assert result.columns == ("id",)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE samples SET text = 'returning'",
        "WITH x AS (SELECT 1) UPDATE samples SET number = (SELECT 1)",
        "/* SELECT */ DELETE FROM samples",
    ],
)
async def test_raw_sql_that_yields_no_rows_counts_those_it_changed(
    driver: Driver, text: str
) -> None:
    await store(driver, [{"number": 5}, {"number": 6}])
    async with driver.acquire() as connection:
        (result,) = await connection.run([raw_statement(text, (), driver.dialect)])

    assert (result.count, len(result.rows)) == (2, 0)
