from __future__ import annotations

import base64
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest

from dataflow.errors import FilterError
from dataflow.models import Digits, declare
from dataflow.sql import NOTHING, SQLITE, Cursor, matcher, parse_order, table_of
from dataflow.sql import after as rows_after


class Color(Enum):
    RED = "red"


class Sample:
    text: str | None
    number: int | None
    real: float | None
    flag: bool | None
    blob: bytes | None
    money: Annotated[Decimal, Digits(10, 2)] | None
    free: Decimal | None
    instant: datetime | None
    day: date | None
    clock: time | None
    span: timedelta | None
    mark: UUID | None
    color: Color | None
    level: int = 0


class Other:
    text: str | None


KEY = b"0123456789abcdef"
SAMPLE, OTHER = declare(Sample), declare(Other)
VALUES: dict[str, Any] = {
    "id": 2**63 - 1,
    "text": "é\U0001f600'\"",
    "number": -(2**63),
    "real": 0.1,
    "flag": True,
    "blob": b"\0\xff",
    "money": Decimal("1.50"),
    "free": Decimal("1e-30"),
    "instant": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    "day": date(2026, 1, 2),
    "clock": time(3, 4),
    "span": timedelta(days=-1, microseconds=1),
    "mark": UUID(int=5),
    "color": Color.RED,
    "level": 3,
}


def after(order: object, row: dict[str, Any]) -> tuple[str, list[Any]]:
    terms = parse_order(order, SAMPLE)
    text = Cursor.of(terms, None, row).text(KEY)
    where = Cursor.filter(text, terms, None, key=KEY)
    statement = table_of(SAMPLE, SQLITE).count(where)
    return statement.text.partition(" WHERE ")[2], list(statement.parameters)


@pytest.mark.parametrize("name", [name for name in VALUES if name != "id"])
def test_a_place_survives_as_text_for_every_type(name: str) -> None:
    for value in (VALUES[name], None):
        row = {**VALUES, name: value}
        terms = parse_order(name, SAMPLE)
        text = Cursor.of(terms, None, row).text(KEY)
        where = Cursor.filter(text, terms, None, key=KEY)

        assert text.isascii()
        assert where is not NOTHING


def test_what_comes_after_a_value_is_above_it_or_has_a_higher_key() -> None:
    text, parameters = after("number", {**VALUES, "number": 5, "id": 7})

    assert text == '("number", "id") > (?1, ?2)'
    assert parameters == [5, 7]


def test_what_comes_after_a_value_downwards_is_below_it_or_null() -> None:
    text, _ = after("-number", {**VALUES, "number": 5, "id": 7})

    assert text == '"number" = ?1 AND "id" > ?2 OR "number" < ?3 OR "number" IS NULL'


def test_what_comes_after_null_is_everything_else_or_nothing() -> None:
    row = {**VALUES, "number": None, "id": 7}

    assert after("number", row)[0] == (
        '"number" IS NOT NULL OR "number" IS NULL AND "id" > ?1'
    )
    assert after("-number", row)[0] == '"number" IS NULL AND "id" > ?1'


def test_null_comes_after_a_value_where_it_is_last() -> None:
    row, null = {**VALUES, "number": 5, "id": 7}, {**VALUES, "number": None, "id": 7}
    upwards = {"field": "number", "nulls": "last"}
    downwards = {"field": "number", "order": "desc", "nulls": "first"}
    same = '"number" = ?1 AND "id" > ?2 OR'

    assert after(upwards, row)[0] == f'{same} "number" > ?3 OR "number" IS NULL'
    assert after(upwards, null)[0] == '"number" IS NULL AND "id" > ?1'
    assert after(downwards, row)[0] == f'({same} "number" < ?3) AND "number" <= ?4'
    assert after(downwards, null)[0] == (
        '"number" IS NOT NULL OR "number" IS NULL AND "id" > ?1'
    )


def test_a_key_downwards_has_no_null_to_come_after_it() -> None:
    assert after("-id", {**VALUES, "id": 7}) == ('"id" < ?1', [7])


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("number, text", '("number", "text", "id") > (?1, ?2, ?3)'),
        ("-id", '"id" < ?1'),
        ("-level, -id", '("level", "id") < (?1, ?2)'),
        # A bound on the first field, so that an index finds where to begin.
        ("-level", '("level" = ?1 AND "id" > ?2 OR "level" < ?3) AND "level" <= ?4'),
        ("number, -id", '("number" = ?1 AND "id" < ?2 OR "number" > ?3) AND "number" >= ?4'),
        # NULL comes last, so there is no bound.
        ("-number", '"number" = ?1 AND "id" > ?2 OR "number" < ?3 OR "number" IS NULL'),
    ],
)  # fmt: skip
def test_what_comes_after_is_one_comparison_or_has_a_bound(
    order: str, text: str
) -> None:
    assert after(order, {**VALUES, "number": 5, "text": "a", "id": 7})[0] == text


def test_in_python_the_same_rows_come_after_a_place() -> None:
    lets = matcher(rows_after(parse_order("number, text", SAMPLE), [5, "b", 7]))
    rows = [
        (None, "z", 9), (4, "z", 9), (5, None, 9), (5, "a", 9), (5, "b", 7),
        (5, "b", 8), (5, "c", 1), (6, None, 1),
    ]  # fmt: skip
    named: list[dict[str, Any]] = [
        dict(zip(("number", "text", "id"), row, strict=True)) for row in rows
    ]

    assert [row for row in named if lets(row)] == named[5:]


TERMS = parse_order("number, text", SAMPLE)
CURSOR = Cursor.of(TERMS, {"number": 1}, VALUES)
TEXT = CURSOR.text(KEY)


def read(text: str, key: bytes = KEY) -> object:
    return Cursor.filter(text, TERMS, {"number": 1}, key=key)


def signed(content: object, key: bytes = KEY) -> str:
    """Return what only somebody can make who has the key."""
    raw = content if isinstance(content, bytes) else msgspec.json.encode(content)
    signing = blake2b(raw, key=key, person=b"dataflow cursor", digest_size=16)
    signature = signing.digest()
    return base64.urlsafe_b64encode(signature + raw).decode().rstrip("=")


def test_a_cursor_that_comes_back_as_it_was_is_taken() -> None:
    assert read(TEXT)
    assert read(signed({"mark": CURSOR.mark, "values": CURSOR.values}))


def test_a_key_may_be_longer_than_a_signature_takes_and_counts_as_a_whole() -> None:
    long = b"k" * 100
    text = CURSOR.text(long)

    assert read(text, long)
    for other in (long + b"k", long[:-1], long[:64]):
        with pytest.raises(FilterError, match="not a cursor"):
            read(text, other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "'; DROP TABLE samples; --",
        "é",
        "\ud800",
        TEXT[:-1],
        TEXT[:20],
        TEXT[1:],
        TEXT + "=",
        TEXT + "A",
        TEXT + "\n",
        " " + TEXT,
        "!" + TEXT,
        TEXT.swapcase(),
        signed([]),
        signed(b""),
        signed({"mark": 1, "values": []}),
        signed({"mark": CURSOR.mark, "values": {}}),
        signed({"mark": CURSOR.mark, "values": [[1], "a", 1]}),
        signed({"mark": CURSOR.mark, "values": [{"b": 1}, "a", 1]}),
        signed(
            {"mark": CURSOR.mark, "values": [1, "a", 1]}, b"another key of 22 bytes"
        ),
        signed(b'{"mark":"","values":' + b"[" * 100_000),
    ],
    ids=lambda text: f"{ascii(text)[:8]} {ascii(text)[-12:]} of {len(text)}",
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match="start without a cursor") as caught:
        read(text)

    assert caught.value.path == "cursor"
    assert "not a cursor" in caught.value.problem


def test_a_cursor_with_any_character_changed_is_refused() -> None:
    for place, sign in enumerate(TEXT):
        for other in "A_z0":
            if other != sign:
                with pytest.raises(FilterError, match="not a cursor"):
                    read(TEXT[:place] + other + TEXT[place + 1 :])


def test_a_cursor_is_refused_under_another_key() -> None:
    with pytest.raises(FilterError, match="need the same cursor_key"):
        read(TEXT, b"another key of 22 bytes")


def test_a_cursor_belongs_to_its_scope() -> None:
    text = Cursor.of(TERMS, None, VALUES, scope="tenant 1").text(KEY)
    for scope in ("tenant 2", None):
        with pytest.raises(FilterError, match="another filter or order"):
            Cursor.filter(text, TERMS, None, key=KEY, scope=scope)

    Cursor.filter(text, TERMS, None, key=KEY, scope="tenant 1")


@pytest.mark.parametrize(
    "values",
    [
        ["1", "a", 1],
        [1, 2, 3],
        [1, "a\0", 1],
        [2**63, "a", 1],
        [1, "a", 1.5],
        [True, "a", 1],
    ],
    ids=str,
)
def test_a_value_that_its_field_does_not_take_any_more_is_refused(
    values: list[Any],
) -> None:
    with pytest.raises(FilterError, match="does not fit the order"):
        read(signed({"mark": CURSOR.mark, "values": values}))


@pytest.mark.parametrize(
    "name", [name for name in VALUES if name not in {"id", "text"}]
)
@pytest.mark.parametrize(
    "value", ["'; --", "", "1e999999999", 1e308, 10**30, True], ids=str
)
def test_a_value_of_another_type_is_read_or_refused_as_such(
    name: str, value: object
) -> None:
    terms = parse_order(name, SAMPLE)
    mark = Cursor.of(terms, {}, VALUES).mark
    with suppress(FilterError):
        Cursor.filter(signed({"mark": mark, "values": [value, 1]}), terms, {}, key=KEY)


def test_a_cursor_belongs_to_one_order_filter_and_model() -> None:
    others: list[tuple[Any, object]] = [
        (parse_order("-number, text", SAMPLE), {"number": 1}),
        (parse_order("text, number", SAMPLE), {"number": 1}),
        (
            parse_order([{"field": "number", "nulls": "last"}, "text"], SAMPLE),
            {"number": 1},
        ),
        (TERMS, {"number": 2}),
        (TERMS, {"number": True}),
        (TERMS, {"number": 1, "text": None}),
        (TERMS, {"number": [1]}),
        (TERMS, None),
        (TERMS[:2], {"number": 1}),
        (TERMS, {"number": object()}),  # what no filter takes is no other's either
    ]
    for terms, given in others:
        with pytest.raises(FilterError, match="another filter or order"):
            Cursor.filter(TEXT, terms, given, key=KEY)
    text = Cursor.of(parse_order("text", SAMPLE), {}, VALUES).text(KEY)
    with pytest.raises(FilterError, match="another filter or order"):
        Cursor.filter(text, parse_order("text", OTHER), {}, key=KEY)


def test_a_cursor_with_too_few_values_is_refused() -> None:
    with pytest.raises(FilterError, match="does not fit the order"):
        read(signed({"mark": CURSOR.mark, "values": [1]}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, {}),
        ({"number": 1, "text": "a"}, {"text": "a", "number": 1}),
        ({"number": {"$in": {1, 2, 3}}}, {"number": {"$in": {3, 2, 1}}}),
        ({"number": {"$in": [1]}}, {"number": {"$in": (1,)}}),
    ],
    ids=str,
)
def test_the_same_filter_written_in_another_order_takes_the_cursor(
    one: object, other: object
) -> None:
    text = Cursor.of(TERMS, one, VALUES).text(KEY)

    Cursor.filter(text, TERMS, other, key=KEY)


SCRIPT = """
from dataflow.models import declare
from dataflow.sql import Cursor, parse_order
class User:
    name: str
user = declare(User)
given = {"name": {"$in": {"a", "b", "c", "d", "e"}}}
print(Cursor.of(parse_order("name", user), given, {"id": 1, "name": "x"}).mark)
"""


@pytest.mark.slow
def test_a_cursor_is_valid_in_another_process() -> None:
    marks = {
        subprocess.run(  # noqa: S603  # the script above
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(marks) == 1
