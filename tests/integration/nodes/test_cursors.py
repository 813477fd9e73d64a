"""Pages by their cursors: nothing missing, nothing twice, nothing forged, no scans."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from dataflow import DataFlow
from dataflow.drivers import Driver
from dataflow.errors import FilterError
from dataflow.models import declare
from dataflow.schema import ensure_table
from dataflow.sql import POSTGRESQL, Statement, Table, after, parse_order, table_of

Ask = Callable[..., Awaitable[Any]]

KEY = "a key that several processes share"

COLORS = [None, "", "a", "b", "é", "\U0001f600"]
RANKS = [None, -1, 0, 2**40]


def thing_of(db: DataFlow) -> type:
    @db.model
    class Thing:
        color: str | None = None
        rank: int | None = None
        level: int = 0

    return Thing


def some_things(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return rows of which many agree in every field."""
    chance = random.Random(seed)  # noqa: S311  # rows, not secrets
    return [
        {
            "color": chance.choice(COLORS),
            "rank": chance.choice(RANKS),
            "level": chance.randint(0, 3),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "order_by",
    [
        None,
        "-id",
        "color",
        "-color",
        "level",
        "-level",
        "-level, -id",
        "rank, color",
        "-rank, -color, -id",
        "rank, -color, level",
        [{"field": "color", "nulls": "last"}],
        [{"field": "rank", "order": "desc", "nulls": "first"}, "color"],
    ],
    ids=str,
)
async def test_a_walk_sees_each_row_that_was_there_throughout_once_and_in_order(
    order_by: object, db: DataFlow
) -> None:
    things = db[thing_of(db)]
    await things.bulk_create(some_things(60))
    whole = (await things.list(order_by=order_by, limit=None))["records"]
    doomed = {row["id"] for row in whole[::3]}
    chance = random.Random(2)  # noqa: S311
    seen: list[dict[str, Any]] = []
    page = await things.list(order_by=order_by, limit=4)
    while True:
        seen += page["records"]
        if page["next_cursor"] is None:
            break
        # Somebody deletes, also the row the cursor names, and inserts everywhere.
        last = page["records"][-1]["id"]
        gone = [last] if last in doomed else []
        gone += chance.sample(sorted(doomed - {*gone}), min(2, len(doomed - {*gone})))
        doomed -= {*gone}
        await things.bulk_delete(ids=gone)
        if len(seen) < 60:
            await things.bulk_create(some_things(2, len(seen)))
        page = await things.list(order_by=order_by, limit=4, cursor=page["next_cursor"])

    ids = [row["id"] for row in seen]
    stayed = [row for row in whole if row["id"] not in {r["id"] for r in whole[::3]}]
    assert len({*ids}) == len(ids)
    assert [row for row in seen if row in stayed] == stayed
    now = {row["id"]: row for row in (await things.list(limit=None))["records"]}
    there = [row["id"] for row in seen if row["id"] in now]
    ordered = (await things.list(order_by=order_by, limit=None))["records"]
    assert there == [row["id"] for row in ordered if row["id"] in {*there}]


async def test_a_walk_along_a_key_of_several_fields_is_complete(db: DataFlow) -> None:
    @db.model
    class Seat:
        __primary_key__ = ("row", "number")
        row: str
        number: int
        price: int | None = None

    seats = [
        {"row": row, "number": number, "price": None if number % 2 else number % 3}
        for row in ("a", "B", "é")
        for number in range(7)
    ]
    await db[Seat].bulk_create(seats)
    for order_by in (None, "-row", "-row, -number", "price", "-price, row", "number"):
        whole = (await db[Seat].list(order_by=order_by, limit=None))["records"]
        seen: list[Any] = []
        page = await db[Seat].list(order_by=order_by, limit=2)
        seen += page["records"]
        while page["next_cursor"] is not None:
            page = await db[Seat].list(
                order_by=order_by, limit=2, cursor=page["next_cursor"]
            )
            seen += page["records"]

        assert len(seen) == 21
        assert seen == whole


# -- keys ---------------------------------------------------------------------------


async def first_cursor(db: DataFlow) -> str:
    thing = thing_of(db)
    await db[thing].bulk_create([{"level": 1}, {"level": 2}])
    cursor: str = (await db[thing].list(limit=1))["next_cursor"]
    return cursor


async def levels(db: DataFlow, cursor: str) -> list[int]:
    page = await db[thing_of(db)].list(limit=1, cursor=cursor)
    return [row["level"] for row in page["records"]]


async def test_processes_with_a_common_key_take_each_others_cursors(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with DataFlow(database_url, cursor_key=KEY) as db:
        cursor = await first_cursor(db)
    async with DataFlow(database_url, cursor_key=KEY.encode()) as db:
        assert await levels(db, cursor) == [2]
    monkeypatch.setenv("DATAFLOW_CURSOR_KEY", KEY)
    async with DataFlow(database_url) as db:
        assert await levels(db, cursor) == [2]
    async with DataFlow(database_url, cursor_key="another key, also long") as db:
        with pytest.raises(FilterError, match="the same cursor_key"):
            await levels(db, cursor)
    monkeypatch.setenv("DATAFLOW_CURSOR_KEY", "")
    async with DataFlow(database_url) as db:
        with pytest.raises(FilterError, match="the same cursor_key") as caught:
            await levels(db, cursor)
    assert caught.value.path == "cursor"


def test_a_short_key_is_refused_without_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="cursor_key has 6 bytes") as caught:
        DataFlow("sqlite:///:memory:", cursor_key="secret")
    monkeypatch.setenv("DATAFLOW_CURSOR_KEY", "secret")
    with pytest.raises(ValueError, match="DATAFLOW_CURSOR_KEY has 6 bytes"):
        DataFlow("sqlite:///:memory:")

    assert "secret" not in str(caught.value).replace("secrets", "")


# -- plans --------------------------------------------------------------------------


class Deep:
    __indexes__ = (
        {"fields": ["level"]},
        {"fields": ["name"]},
        {"fields": ["maybe"]},
        {"fields": ["level", "name"]},
        {"fields": ["name", "id"]},
    )
    level: int
    name: str
    maybe: int | None = None
    free: int = 0


DEEP = declare(Deep)
N_DEEP = 20_000


@pytest.fixture
async def deep(driver: Driver) -> Driver:
    """Give a table that is long enough for an index to be worth it."""
    await ensure_table(driver, DEEP)
    rows = f"SELECT n, n % 5000, 'n' || (n % 7000), n, n {_series(driver)}"
    table = driver.dialect.quote(DEEP.table)
    text = f"INSERT INTO {table} (id, level, name, maybe, free) {rows}"
    async with driver.acquire() as connection:
        await connection.run([Statement(text)])
        await connection.run([Statement("ANALYZE")])
    return driver


def _series(driver: Driver) -> str:
    if driver.dialect is POSTGRESQL:
        return f"FROM generate_series(1, {N_DEEP}) AS s(n)"
    counted = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < {N_DEEP}"  # noqa: S608
    return f"FROM (WITH RECURSIVE s(n) AS ({counted}) SELECT n FROM s)"  # noqa: S608


async def plan_of(driver: Driver, statement: Statement) -> str:
    """Return how the database goes about *statement*, as text."""
    prefix = "EXPLAIN" if driver.dialect is POSTGRESQL else "EXPLAIN QUERY PLAN"
    explain = Statement(
        f"{prefix} {statement.text}", statement.parameters, returns_rows=True
    )
    async with driver.acquire(write=False) as connection:
        (result,) = await connection.run([explain])
    return "\n".join(str(row[-1]) for row in result.rows)


def page_behind(table: Table, order_by: str | None, place: dict[str, Any]) -> Statement:
    order = parse_order(order_by, DEEP)
    where = after(order, [place[term.field.name] for term in order])
    return table.select(where, order=order, limit=11)


@pytest.mark.parametrize(
    "order_by",
    [
        None,
        "-id",
        "level",
        "-level",
        "-level, -id",
        "name",
        "-name",
        "maybe",
        "level, name",
        "-level, -name",
    ],
    ids=str,
)
async def test_an_index_finds_where_a_page_begins(
    order_by: str | None, deep: Driver
) -> None:
    place = {"id": 12_345, "level": 2_345, "name": "n5345", "maybe": 12_345}
    table = table_of(DEEP, deep.dialect)
    plan = await plan_of(deep, page_behind(table, order_by, place))

    assert "Seq Scan" not in plan
    assert "SCAN" not in plan
    assert ("Index Cond" in plan) or ("SEARCH" in plan), plan
    # Bitmaps and unions would read all that follows, and sort it.
    assert "Bitmap" not in plan
    assert "MULTI-INDEX" not in plan


async def test_a_cursor_of_bytes_that_are_no_text_is_refused(db: DataFlow) -> None:
    thing = thing_of(db)
    for cursor in ("\0", "🙂", msgspec.json.encode([1]).decode(), "A" * 100_000):
        with pytest.raises(FilterError, match="not a cursor"):
            await db[thing].list(cursor=cursor)
