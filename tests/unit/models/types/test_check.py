from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from math import copysign, inf, nan
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from dataflow.models import MismatchError
from dataflow.models.declaring._annotation import read_annotation

EAST = timezone(timedelta(hours=5))


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Text(StrEnum):
    HELLO = "hello"


class Number(IntEnum):
    SEVEN = 7


class Half(float):
    pass


class Nowhere(tzinfo):
    def utcoffset(self, _: datetime | None, /) -> timedelta | None:
        return None

    def dst(self, _: datetime | None, /) -> timedelta | None:
        return None

    def tzname(self, _: datetime | None, /) -> str | None:
        return None


class Day(date):
    pass


def check(annotation: object, value: object) -> Any:  # its type's
    return read_annotation(annotation)[0].check(value)


@pytest.mark.parametrize(
    ("annotation", "value", "normal"),
    [
        (int, 2**63 - 1, 2**63 - 1),
        (int, -(2**63), -(2**63)),
        (int, Number.SEVEN, 7),
        (float, 1.5, 1.5),
        (float, 3, 3.0),
        (float, Half(2.5), 2.5),
        (bool, True, True),
        (str, "", ""),
        (str, "grüße 🎉", "grüße 🎉"),
        (str, Text.HELLO, "hello"),
        (str, "${a.b}", "${a.b}"),
        (bytes, b"\0", b"\0"),
        (bytes, bytearray(b"ab"), b"ab"),
        (bytes, memoryview(b"ab"), b"ab"),
        (date, date.max, date.max),
        (date, Day(2026, 1, 2), date(2026, 1, 2)),
        (time, time(1, 2, 3, 4), time(1, 2, 3, 4)),
        (datetime, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (
            datetime,
            datetime(2026, 1, 2, 5, tzinfo=EAST),
            datetime(2026, 1, 2, tzinfo=UTC),
        ),
        (timedelta, timedelta(microseconds=1), timedelta(microseconds=1)),
        (
            timedelta,
            timedelta(microseconds=-(2**63 - 1)),
            -timedelta(microseconds=2**63 - 1),
        ),
        (UUID, UUID(int=5), UUID(int=5)),
        (Color, Color.RED, Color.RED),
        (Color, "red", Color.RED),
        (Number, 7, Number.SEVEN),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], 2, 2),
        (Literal[True], True, True),
        (list[int], (1, 2), [1, 2]),
        (list[Color], ["red", Color.BLUE], [Color.RED, Color.BLUE]),
        (list[float], [1], [1.0]),
    ],
)
def test_a_fitting_value_comes_back_in_its_normal_form(
    annotation: object, value: object, normal: object
) -> None:
    result = check(annotation, value)

    assert result == normal
    assert type(result) is type(normal)


def test_a_negative_zero_becomes_zero_because_sqlite_drops_the_sign() -> None:
    assert copysign(1, check(float, -0.0)) == 1


def test_a_datetime_comes_back_in_utc() -> None:
    assert check(datetime, datetime(2026, 1, 2, tzinfo=EAST)).tzinfo is UTC


def test_a_list_comes_back_as_another_list() -> None:
    value = [1]

    assert check(list[int], value) is not value


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, True, "takes int, not bool"),
        (int, None, "takes int, not None"),
        (int, 1.0, "takes int, not float"),
        (int, "1", "takes int, not str"),
        (int, 2**63, "takes int (64 bits), not an int beyond 64 bits"),
        (int, -(2**63) - 1, "takes int (64 bits), not an int beyond 64 bits"),
        (
            int,
            "${create.id}",
            "takes int, not a `${…}` template (connect the nodes instead)",
        ),
        (float, True, "takes float, not bool"),
        (float, "1", "takes float, not str"),
        (
            float,
            Decimal(1),
            "takes float, not Decimal (lossy: declare the field as Decimal)",
        ),
        (float, nan, "takes float (finite), not a float that is not finite"),
        (float, -inf, "takes float (finite), not a float that is not finite"),
        (float, 2**53 + 1, "takes float, not an int that a float cannot hold exactly"),
        (float, 10**400, "takes float, not an int that a float cannot hold exactly"),
        (bool, 1, "takes bool, not int"),
        (str, 1, "takes str, not int"),
        (str, b"a", "takes str, not bytes"),
        (str, "a\0b", "takes str without NUL, not a str with a NUL character"),
        (
            str,
            "a\ud800",
            "takes str of valid Unicode, not a str with a lone surrogate",
        ),
        (bytes, "a", "takes bytes, not str (encode it)"),
        (
            date,
            datetime(2026, 1, 2, tzinfo=UTC),
            "takes date, not datetime (take its .date())",
        ),
        (
            date,
            "2026-01-02",
            "takes date, not str (make it one with date.fromisoformat(value))",
        ),
        (
            time,
            "01:02",
            "takes time, not str (make it one with time.fromisoformat(value))",
        ),
        (
            time,
            time(1, tzinfo=UTC),
            (
                "takes time (without timezone), "
                "not a time with timezone (a datetime carries one)"
            ),
        ),
        (
            datetime,
            "2026-01-02T00:00:00Z",
            (
                "takes datetime (timezone-aware, such as datetime.now(UTC)), "
                "not str (make it one with datetime.fromisoformat(value))"
            ),
        ),
        (
            datetime,
            date(2026, 1, 2),
            (
                "takes datetime (timezone-aware, such as datetime.now(UTC)), "
                "not date (say at what time)"
            ),
        ),
        (
            datetime,
            datetime(2026, 1, 2),  # noqa: DTZ001
            (
                "takes datetime (timezone-aware, such as datetime.now(UTC)), "
                "not a datetime without timezone"
            ),
        ),
        (
            datetime,
            datetime(2026, 1, 2, tzinfo=Nowhere()),
            (
                "takes datetime (timezone-aware, such as datetime.now(UTC)), "
                "not a datetime without timezone"
            ),
        ),
        (
            datetime,
            datetime.min.replace(tzinfo=EAST),
            (
                "takes datetime (timezone-aware, such as datetime.now(UTC)), "
                "not a datetime that in UTC is outside the years 1 to 9999"
            ),
        ),
        (timedelta, 5, "takes timedelta, not int (make it one with timedelta(...))"),
        (
            timedelta,
            timedelta.max,
            (
                "takes timedelta (microseconds in 64 bits), "
                "not a timedelta of over 292271 years"
            ),
        ),
        (UUID, "5", "takes UUID, not str (make it one with UUID(value))"),
        (Color, "green", "takes one of 'red', 'blue', not another str"),
        (Color, 1, "takes one of 'red', 'blue', not int"),
        (Color, Text.HELLO, "takes one of 'red', 'blue', not another Text"),
        (Number, True, "takes one of 7, not bool"),
        (Literal[1, 2], 3, "takes one of 1, 2, not another int"),
        (Literal[1, 2], True, "takes one of 1, 2, not bool"),
        (Literal[True], False, "takes one of True, not another bool"),
        (list[int], 1, "takes list[int], not int"),
        (list[int], {1}, "takes list[int], not set"),
        (list[int], [1, "2"], "takes list[int], not str at [1]"),
        (list[int], [2**63], "takes list[int], not an int beyond 64 bits at [0]"),
        (list[str], [None], "takes list[str], not None at [0]"),
    ],
)
def test_what_does_not_fit_is_described_by_its_type(
    annotation: object, value: object, message: str
) -> None:
    with pytest.raises(MismatchError) as caught:
        check(annotation, value)

    assert str(caught.value) == message


def test_a_uuid_is_kept() -> None:
    value = uuid4()

    assert check(UUID, value) is value
