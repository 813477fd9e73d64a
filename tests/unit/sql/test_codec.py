from __future__ import annotations

import base64
import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal, localcontext
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from dataflow.models import Digits, FieldType
from dataflow.models.declaring._annotation import read_annotation
from dataflow.sql._codec import UNDECODABLE, codec
from dataflow.sql._dialect import POSTGRESQL, SQLITE


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    street: str
    at: datetime | None = None


MONEY = Annotated[Decimal, Digits(10, 2)]
WIDE = Annotated[Decimal, Digits(30, 5)]
INSTANT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
KEY = UUID(int=5)
KEY_TEXT = "00000000-0000-0000-0000-000000000005"


def read(annotation: object) -> FieldType:
    return read_annotation(annotation)[0]


Stored = list[tuple[object, object, object]]

IN_SQLITE: Stored = [
    (int, 5, 5),
    (float, 1.5, 1.5),
    (str, "a", "a"),
    (bytes, b"\0a", b"\0a"),
    (bool, True, 1),
    (bool, False, 0),
    (Decimal, Decimal("10.50"), "10.50"),
    (Decimal, Decimal("1E-7"), "0.0000001"),
    (MONEY, Decimal("10.50"), 1050),
    (MONEY, Decimal("-99999999.99"), -9999999999),
    (WIDE, Decimal("10.50000"), "10.50000"),
    (date, date(5, 1, 2), "0005-01-02"),
    (time, time(3, 4), "03:04:00.000000"),
    (datetime, INSTANT, "2026-01-02T03:04:05.000006+00:00"),
    (datetime, datetime(5, 1, 2, tzinfo=UTC), "0005-01-02T00:00:00.000000+00:00"),
    (timedelta, timedelta(days=-1, microseconds=1), -86_399_999_999),
    (UUID, KEY, KEY_TEXT),
    (Color, Color.RED, "red"),
    (Literal["a", "b"], "a", "a"),
    (Literal[True], True, 1),
    (
        dict[str, Any],
        {"b": 1e22, "a": None},
        '{"a":null,"b":10000000000000000000000.0}',
    ),
    (list[Any], [1, "a", {}], '[1,"a",{}]'),
    (
        Address,
        Address("a", INSTANT),
        '{"at":"2026-01-02T03:04:05.000006Z","street":"a"}',
    ),
    (list[int], [1, 2], "[1,2]"),
    (list[float], [1.0, 1e22], "[1.0,10000000000000000000000.0]"),
    (list[str], ["a", "é"], '["a","é"]'),
    (list[bool], [True], "[true]"),
    (list[bytes], [b"\0"], '["AA=="]'),
    (list[Decimal], [Decimal("1.50")], '["1.50"]'),
    (list[MONEY], [Decimal("1.50")], "[150]"),
    (list[date], [date(2026, 1, 2)], '["2026-01-02"]'),
    (list[time], [time(1)], '["01:00:00.000000"]'),
    (list[datetime], [INSTANT], '["2026-01-02T03:04:05.000006+00:00"]'),
    (list[timedelta], [timedelta(seconds=1)], "[1000000]"),
    (list[UUID], [KEY], f'["{KEY_TEXT}"]'),
    (list[Color], [Color.RED], '["red"]'),
    (list[Literal[1, 2]], [2], "[2]"),
    (list[Literal[True]], [True], "[true]"),
    (list[int], [], "[]"),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), IN_SQLITE, ids=str)
def test_sqlite_stores_what_sorts_and_gives_back_the_same(
    annotation: object, value: object, stored: object
) -> None:
    made = codec(read(annotation), SQLITE)
    with localcontext(Context(prec=2)):
        encoded = value if made.encode is None else made.encode(value)
        decoded = encoded if made.decode is None else made.decode(encoded)

    assert encoded == stored
    assert type(encoded) is type(stored)
    assert decoded == value
    assert type(decoded) is type(value)


IN_POSTGRESQL: Stored = [
    (int, 5, 5),
    (bool, True, True),
    (Decimal, Decimal("1.50"), Decimal("1.50")),
    (MONEY, Decimal("1.50"), Decimal("1.50")),
    (datetime, INSTANT, INSTANT),
    (timedelta, timedelta(1), timedelta(1)),
    (UUID, KEY, KEY),
    (Color, Color.RED, "red"),
    (Literal["a"], "a", "a"),
    (list[int], [1], [1]),
    (list[datetime], [INSTANT], [INSTANT]),
    (list[Color], [Color.RED, Color.BLUE], ["red", "blue"]),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), IN_POSTGRESQL, ids=str)
def test_postgresql_has_a_type_for_nearly_all(
    annotation: object, value: object, stored: object
) -> None:
    made = codec(read(annotation), POSTGRESQL)
    encoded = value if made.encode is None else made.encode(value)
    decoded = encoded if made.decode is None else made.decode(encoded)

    assert encoded == stored
    assert decoded == value


@pytest.mark.parametrize("annotation", [int, float, str, bytes, bool, UUID, list[int]])
def test_most_values_pass_through_postgresql_untouched(annotation: object) -> None:
    made = codec(read(annotation), POSTGRESQL)

    assert (made.encode, made.decode) == (None, None)


def test_postgresql_takes_json_as_text_and_gives_it_parsed() -> None:
    document, struct = read(dict[str, Any]), read(Address)
    plain = {"street": "a", "at": "2026-01-02T03:04:05.000006Z"}

    encode = _both(document)[0]
    assert encode({"b": 1e16, "a": 1}) == '{"a":1,"b":10000000000000000.0}'
    assert codec(document, POSTGRESQL).decode is None
    encode, decode = _both(struct)
    assert msgspec.json.decode(encode(Address("a", INSTANT))) == plain
    assert decode(plain) == Address("a", INSTANT)


def _both(type_: FieldType) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    made = codec(type_, POSTGRESQL)
    assert made.encode is not None
    return made.encode, made.decode or (lambda value: value)


@pytest.mark.parametrize("instant", [datetime.min, datetime.max])  # noqa: DTZ901
def test_the_ends_of_time_come_back_aware(instant: datetime) -> None:
    # asyncpg hands out infinity as a naive datetime.
    decode = codec(read(datetime), POSTGRESQL).decode

    assert decode is not None
    assert decode(instant) == instant.replace(tzinfo=UTC)


def test_a_decimal_comes_back_without_exponent() -> None:
    # asyncpg hands out 10000 as 1E+4.
    decode = codec(read(Decimal), POSTGRESQL).decode
    large = Decimal((0, (1,) * 2000, 4))

    assert decode is not None
    assert str(decode(Decimal("1E+4"))) == "10000"
    assert str(decode(Decimal("1.50"))) == "1.50"
    assert decode(large) == large


def test_a_float_that_sqlite_packed_as_an_integer_comes_back_as_a_float() -> None:
    decode = codec(read(float), SQLITE).decode

    assert decode is not None
    assert type(decode(1)) is float


@pytest.mark.parametrize(
    ("stored", "instant"),
    [
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            "2026-01-02T03:04:05+02:00",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_a_datetime_that_others_wrote_is_read_as_utc(
    stored: str, instant: datetime
) -> None:
    decode = codec(read(datetime), SQLITE).decode

    assert decode is not None
    assert decode(stored) == instant
    assert decode(stored).tzinfo is UTC


@pytest.mark.parametrize(
    ("annotation", "stored"),
    [
        (bool, 2),
        (bool, "yes"),
        (float, "much"),
        (Decimal, "ten"),
        (Decimal, "NaN"),
        (MONEY, 1.5),
        (MONEY, "1"),
        (date, "soon"),
        (date, 5),
        (time, "25:00"),
        (datetime, "soon"),
        (datetime, 5),
        (timedelta, "1"),
        (timedelta, 2**70),
        (UUID, "5"),
        (UUID, 7),
        (Color, "green"),
        (dict[str, Any], "[]"),
        (dict[str, Any], "{"),
        (list[Any], "{}"),
        (Address, "{}"),
        (list[int], '["a"]'),
        (list[bool], "[1]"),
        (list[str], "[1]"),
        (list[bytes], '["?"]'),
        (list[Color], '["green"]'),
        (list[MONEY], '["1"]'),
    ],
    ids=str,
)
def test_what_no_field_stores_does_not_decode(
    annotation: object, stored: object
) -> None:
    decode = codec(read(annotation), SQLITE).decode

    assert decode is not None
    with pytest.raises(UNDECODABLE):
        decode(stored)


@pytest.mark.parametrize(
    ("annotation", "given"),
    [(datetime, "2026"), (Color, "green"), (Address, {}), (list[Color], ["green"])],
    ids=str,
)
def test_what_no_field_stores_does_not_decode_from_postgresql(
    annotation: object, given: object
) -> None:
    decode = codec(read(annotation), POSTGRESQL).decode

    assert decode is not None
    with pytest.raises(UNDECODABLE):
        decode(given)


@pytest.mark.parametrize(
    ("annotation", "ordered"),
    [
        (date, [date.min, date(2026, 1, 2), date.max]),
        (time, [time.min, time(1, 2, 3, 4), time.max]),
        (
            datetime,
            [
                datetime.min.replace(tzinfo=UTC),
                INSTANT,
                datetime.max.replace(tzinfo=UTC),
            ],
        ),
        (timedelta, [timedelta(-1), timedelta(0), timedelta(1)]),
        (MONEY, [Decimal("-1.00"), Decimal("0.00"), Decimal("9.50"), Decimal("10.00")]),
    ],
)
def test_what_sqlite_stores_sorts_as_the_values_do(
    annotation: object, ordered: list[Any]
) -> None:
    encode = codec(read(annotation), SQLITE).encode

    assert encode is not None
    assert sorted(map(encode, ordered)) == list(map(encode, ordered))


def test_bytes_in_a_list_are_base64() -> None:
    encode = codec(read(list[bytes]), SQLITE).encode
    value = bytes(range(256))

    assert encode is not None
    assert encode([value]) == f'["{base64.b64encode(value).decode()}"]'
