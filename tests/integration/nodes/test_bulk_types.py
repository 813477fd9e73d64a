"""Rows packed for a bulk load are those that one create after the other stores."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from dataflow import DataFlow, Digits
from dataflow.errors import FieldValueError, ParameterError, UnknownFieldError


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Address(msgspec.Struct):
    street: str
    number: int = 0


class Text(str):
    __slots__ = ()


class Number(int):
    pass


EAST = timezone(timedelta(hours=5, minutes=30))

VALUES: dict[str, list[Any]] = {
    "number": [0, -1, 2**63 - 1, -(2**63), Number(7)],
    "share": [0.0, -0.0, 0.1, 1e308, 5e-324, 3],
    "exact": [
        Decimal(0),
        Decimal("-0.000"),
        Decimal("0.0001"),
        Decimal(10_000),
        Decimal("1E+5"),
        Decimal("12345678901234567890.123456789"),
        Decimal("-1.50"),
        Decimal("1E-9"),
        Decimal("99990000.00009999"),
        7,
    ],
    "price": [Decimal("19.99"), Decimal("-0.01"), Decimal("99999999.99"), 3],
    "done": [True, False],
    "text": ["", "a", "Ünïcode 🐘 \\ \t\n", Text("b"), "x" * 5_000],
    "raw": [b"", b"\x00\xff", bytearray(b"a"), memoryview(b"bc")],
    "day": [date(2024, 2, 29), date.min, date.max, date(1999, 12, 31)],
    "hour": [time(0), time(23, 59, 59, 999_999), time(1, 2, 3)],
    "at": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=EAST),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "lasts": [
        timedelta(0),
        timedelta(days=-1, microseconds=1),
        timedelta(days=100_000, seconds=5),
    ],
    "key": [UUID(int=0), UUID(int=2**128 - 1)],
    "color": [Color.RED, "blue"],
    "level": [Level.HIGH, 1],
    "size": ["small", "large"],
    "tags": [[], ["a", "", "é"], ("b",)],
    "numbers": [[], [3, -(2**63)]],
    "sums": [[Decimal("1.5"), Decimal(-2)], []],
    "days": [[date(2024, 1, 1)], []],
    "data": [
        {},
        {"a": [1, {"b": None}], "c": 1.5, "d": "é", "e": True, "f": -0.0},
        {"big": 1e22, "b": 2**63 - 1},
        OrderedDict(a=1),
        {"t": (1, 2), "s": Text("a")},
    ],
    "anything": [[], [1, "a", None, {"b": True}, [0.5]]],
    "address": [Address("Main", 7), {"street": "Side"}],
    "maybe": [None, 1],
    "maybe_text": [None, "", "a"],
    "maybe_at": [None, datetime(2024, 1, 1, tzinfo=UTC)],
    "maybe_lasts": [None, timedelta(hours=-3)],
    "maybe_data": [None, {"a": 1}],
}


@pytest.fixture
async def things(db: DataFlow) -> tuple[type, type]:
    class Fields:
        number: int
        share: float
        exact: Decimal
        price: Annotated[Decimal, Digits(10, 2)]
        done: bool
        text: str
        raw: bytes
        day: date
        hour: time
        at: datetime
        lasts: timedelta
        key: UUID
        color: Color
        level: Level
        size: Literal["small", "large"]
        tags: list[str]
        numbers: list[int]
        sums: list[Decimal]
        days: list[date]
        data: dict[str, Any]
        anything: list[Any]
        address: Address
        maybe: int | None
        maybe_text: str | None
        maybe_at: datetime | None
        maybe_lasts: timedelta | None
        maybe_data: dict[str, Any] | None

    one = type("One", (), {"__annotations__": Fields.__annotations__})
    many = type("Many", (), {"__annotations__": Fields.__annotations__})
    one.__module__ = many.__module__ = __name__
    return db.model(one), db.model(many)


def some_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows in which each value comes, and each pair of them may."""
    random = Random(seed)  # noqa: S311  no secret
    rows = [
        {name: values[number % len(values)] for name, values in VALUES.items()}
        for number in range(count // 2)
    ]
    rows += [
        {name: random.choice(values) for name, values in VALUES.items()}
        for _ in range(count - len(rows))
    ]
    return rows


async def stored(db: DataFlow, model: type) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = (await db[model].list(limit=None))["records"]
    return records


def spelled(record: dict[str, Any]) -> str:
    """Return a record so that 1 and 1.0, or 1.5 and 1.50, are not the same."""
    return repr(record)


async def test_values_come_back_as_from_single_creates(
    db: DataFlow, things: tuple[type, type]
) -> None:
    one, many = things
    rows = some_rows(80, seed=1)
    for row in rows:
        await db[one].create(**row)
    result = await db[many].bulk_create(rows, return_ids=True)

    singles, together = await stored(db, one), await stored(db, many)
    assert result["inserted"] == 80
    assert result["ids"] == [each["id"] for each in together]
    for single, packed in zip(singles, together, strict=True):
        assert spelled(single) == spelled(packed)


async def test_changed_values_come_back_as_from_single_updates(
    db: DataFlow, things: tuple[type, type]
) -> None:
    one, many = things
    before, after = some_rows(60, seed=2), some_rows(60, seed=3)
    for model in things:
        await db[model].bulk_create(before)
    changes = [{"id": number, **row} for number, row in enumerate(after, 1)]
    for change in changes:
        await db[one].update(change["id"], **after[change["id"] - 1])
    await db[many].bulk_update(data=changes)

    singles, together = await stored(db, one), await stored(db, many)
    for single, packed in zip(singles, together, strict=True):
        assert spelled(single) == spelled(packed)


BAD: dict[str, list[Any]] = {
    "number": [True, 1.0, 2**63, -(2**63) - 1, "1", None],
    "share": [True, float("nan"), float("inf"), 2**53 + 1, "1"],
    "exact": [1.0, Decimal("NaN"), Decimal("1E-1001")],
    "price": [Decimal("0.001"), Decimal(10**9)],
    "done": [1, None],
    "text": ["a\0b", "\ud800", b"a", 1],
    "raw": ["a"],
    "day": [datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01"],
    "hour": [time(1, tzinfo=UTC)],
    "at": [datetime(2024, 1, 1), date(2024, 1, 1)],  # noqa: DTZ001  it is naive
    "lasts": [timedelta.max, 5],
    "key": ["00000000-0000-0000-0000-000000000005"],
    "color": ["green", Level.LOW, ["red"]],
    "level": [True, 3],
    "size": ["medium"],
    "tags": [["a\0"], "ab", [1]],
    "numbers": [[2**63], [True]],
    "data": [{1: 2}, {"a": float("nan")}, {"a\0": 1}, {"a": "\ud800"}, [1], {"a": {1}}],
    "anything": [{"a": 1}, [2**63]],
    "address": [{"street": 5}, "Main"],
    "maybe": ["1"],
}


@pytest.mark.parametrize("name", BAD)
async def test_what_a_create_refuses_a_load_refuses_in_the_same_words(
    name: str, db: DataFlow, things: tuple[type, type]
) -> None:
    one, many = things
    good = some_rows(60, seed=4)
    data: list[dict[str, Any]] = []
    errors: list[str] = []
    for value in BAD[name]:
        with pytest.raises(FieldValueError) as error:
            await db[one].create(**{**good[0], name: value})
        place = f"ManyBulkCreateNode data[{len(good) + len(data)}]"
        errors.append(str(error.value).replace("OneCreateNode", place))
        data.append({**good[0], name: value})
    result = await db[many].bulk_create([*good, *data], error_strategy="continue")

    assert [each["reason"] for each in result["errors"]] == errors
    assert (result["inserted"], result["failed"]) == (60, len(data))


async def test_of_two_wrong_values_the_first_given_is_told(
    db: DataFlow, things: tuple[type, type]
) -> None:
    good = some_rows(60, seed=5)
    bad = {"text": 5, "number": "5"}
    rest = {name: value for name, value in good[0].items() if name not in bad}
    with pytest.raises(ParameterError) as error:
        await db[things[1]].bulk_create([*good, {**bad, **rest}])
    with pytest.raises(UnknownFieldError):
        await db[things[1]].bulk_create([*good, {**good[0], "colour": 1}])

    assert error.value.field == "text"
    assert await db[things[1]].count() == 0
