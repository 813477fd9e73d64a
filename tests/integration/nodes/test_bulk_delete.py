"""Bulk deletes by keys: of every type, in lists and in streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest

from dataflow import DataFlow, Digits, field
from dataflow.errors import FieldValueError

Ask = Callable[..., Awaitable[Any]]


class Color(Enum):
    RED = "red"
    BLUE = "1"
    GREEN = "1.0"


INSTANT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
KEYS: list[tuple[Any, list[Any]]] = [
    (int, [1, -(2**63), 2**63 - 1]),
    (str, ["1", "01", "1.0"]),
    (str, ["", "é\U0001f600", '"\\\n']),
    (bytes, [b"1", b"\x00\xff", b""]),
    (bool, [True, False]),
    (Decimal, [Decimal("1.5"), Decimal(10**30), Decimal("1e-30")]),
    (Annotated[Decimal, Digits(18, 4)], [Decimal("1.5"), Decimal(1), Decimal(10)]),
    (Annotated[Decimal, Digits(30, 4)], [Decimal("1.5"), Decimal(1), Decimal(10)]),
    (date, [INSTANT.date(), date.min, date.max]),
    (time, [time(1), time(1, 2, 3, 4), time.max]),
    (datetime, [INSTANT, INSTANT - timedelta(days=1), INSTANT.replace(year=1)]),
    (timedelta, [timedelta(1), timedelta(microseconds=-1), timedelta()]),
    (UUID, [UUID(int=0), UUID(int=1), UUID(int=2**128 - 1)]),
    (Color, [Color.RED, Color.BLUE, Color.GREEN]),
]


def declare(db: DataFlow, *types: Any) -> type:
    names = [f"key{number}" for number in range(len(types))]
    annotations = {**dict(zip(names, types, strict=True)), "more": int}
    fields = {name: field(primary_key=True) for name in names}
    return db.model(
        type("Thing", (), {"__annotations__": annotations, "more": 0, **fields})
    )


@pytest.mark.parametrize(("key_type", "keys"), KEYS)
async def test_rows_are_deleted_by_keys_of_every_type(
    key_type: Any, keys: list[Any], db: DataFlow
) -> None:
    things = db[declare(db, key_type)]
    await things.bulk_create([{"key0": key} for key in keys])
    gone = [*keys[1:], *keys[1:]]
    report = await things.bulk_delete(ids=gone)
    left = await things.list()

    n_gone = len(keys) - 1
    assert (report["processed"], report["deleted"]) == (2 * n_gone, n_gone)
    assert (report["skipped"], report["batch_size"]) == (n_gone, 10_000)
    assert [record["key0"] for record in left["records"]] == keys[:1]


@pytest.mark.parametrize(("key_type", "keys"), KEYS)
async def test_rows_are_deleted_by_keys_of_two_fields(
    key_type: Any, keys: list[Any], db: DataFlow
) -> None:
    things = db[declare(db, int, key_type)]
    await things.bulk_create(
        [{"key0": number, "key1": key} for number in (1, 2) for key in keys]
    )
    first = await things.bulk_delete(ids=[(1, keys[0]), [2, keys[1]], (1, keys[0])])
    second = await things.bulk_delete(ids=[{"key0": 2, "key1": keys[0]}])
    third = await things.bulk_delete(ids=[(1, keys[1]), {"key1": keys[1], "key0": 1}])

    assert (first["deleted"], first["skipped"]) == (2, 1)
    assert (second["deleted"], second["skipped"]) == (1, 0)
    assert (third["deleted"], third["skipped"]) == (1, 1)
    assert await things.count() == 2 * len(keys) - 4


async def test_a_decimal_is_the_same_key_whatever_its_zeros(db: DataFlow) -> None:
    things = db[declare(db, Decimal)]
    await things.bulk_create([{"key0": Decimal("1.50")}, {"key0": Decimal(10)}])

    report = await things.bulk_delete(ids=[Decimal("1.5"), Decimal("10.000")])

    assert report["deleted"] == 2


@pytest.fixture
async def many(db: DataFlow) -> type:
    @db.model
    class Row:
        parent: int | None = None

    await db[Row].bulk_create([{"parent": None}] * 25_000)
    return Row


async def test_more_keys_than_a_batch_are_deleted(db: DataFlow, many: type) -> None:
    report = await db[many].bulk_delete(ids=set(range(5, 30_000)))

    assert (report["processed"], report["deleted"]) == (29_995, 24_996)
    assert await db[many].count() == 4


async def test_keys_may_come_from_an_iterator(
    db: DataFlow, many: type, ask: Ask
) -> None:
    report = await db[many].bulk_delete(ids=(key for key in range(3, 30_000)))
    again = await ask("RowBulkDeleteNode", ids=iter([1, 1, {"id": 2}]))
    nothing = await db[many].bulk_delete(ids=iter([]))

    assert (report["processed"], report["deleted"]) == (29_997, 24_998)
    assert (again["deleted"], again["skipped"]) == (2, 1)
    assert (nothing["processed"], nothing["deleted"]) == (0, 0)
    assert await db[many].count() == 0


async def test_a_stream_that_breaks_undoes_what_was_deleted(
    db: DataFlow, many: type
) -> None:
    def broken() -> Iterator[object]:
        yield from range(1, 20_000)
        msg = "no more"
        raise LookupError(msg)

    def odd() -> Iterator[object]:
        yield from range(1, 20_000)
        yield "20000"

    with pytest.raises(LookupError, match="no more"):
        await db[many].bulk_delete(ids=broken())
    with pytest.raises(FieldValueError, match="takes int, not str"):
        await db[many].bulk_delete(ids=odd())

    assert await db[many].count() == 25_000


@pytest.mark.parametrize(
    ("key_type", "wrong"),
    [
        (int, [1, True]),
        (int, [1, 2**63]),
        (int, [1, None]),
        (str, ["a", 1]),
        (str, ["a", "b\0"]),
        (str, ["ä", "\ud800"]),
        (UUID, [UUID(int=1), "1"]),
    ],
)
async def test_what_is_no_key_is_refused(
    key_type: Any, wrong: list[Any], db: DataFlow
) -> None:
    things = db[declare(db, key_type)]
    with pytest.raises(FieldValueError) as caught:
        await things.bulk_delete(ids=wrong)

    assert caught.value.field == "key0"


@pytest.mark.parametrize(
    "wrong",
    [
        [(1, "a", 2)],
        [(1,)],
        ["1a"],
        [1],
        [{"key0": 1}],
        [{"key0": 1, "key2": "a"}],
        [(1, "a"), (1, 2)],
        [(1, "a"), {"key0": 1, "key2": "a"}],
    ],
)
async def test_half_a_key_and_more_than_one_are_refused(
    wrong: list[Any], db: DataFlow
) -> None:
    things = db[declare(db, int, str)]
    with pytest.raises(FieldValueError):
        await things.bulk_delete(ids=wrong)


async def test_a_text_of_a_subclass_is_a_key_too(db: DataFlow) -> None:
    class Code(str):
        __slots__ = ()

    things = db[declare(db, str)]
    await things.create(key0="a")

    assert (await things.bulk_delete(ids=[Code("a")]))["deleted"] == 1
