"""What filters mean, told once more: values to hold against each other, and a judge.

The judge shares nothing with the package: it reads a filter as its user wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from dataflow.models import Digits

__all__ = [
    "FLOATS",
    "INTS",
    "PATTERNS",
    "POOLS",
    "TEXTS",
    "holds",
    "lets_through",
    "plain",
    "pool_of",
]


class Color(Enum):
    RED = "red"
    BLUE = "Blue"
    GREEN = "é"


class Level(IntEnum):
    LOW = -1
    HIGH = 2**40


TEXTS = [
    "", "a", "A", "ab", "aB", "abc", "b", "a%", "a_", "%", "_", "\\", "a\\b", "[a]", "*", "?",
    "é", "É", "e\u0301", "\U0001f600", "a\U0001f600b", "\U0010ffff", "\uffff", "ß", "a\nb", "\x0b",
    "'; DROP TABLE \"things\"; --", "$1", "?1", "{place}", "0", "1", "NULL",
]  # fmt: skip
INTS = [0, 1, -1, 2, 5, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, 1.0, -1.0, 0.1, 0.30000000000000004, 0.3, 5e-324, -1.7976931348623157e308,
          1e16, 2.0**53, 1.7976931348623157e308, 123456789.123456789]  # fmt: skip
MICROSECOND = timedelta(microseconds=1)

POOLS: dict[str, tuple[Any, list[Any]]] = {
    "text": (str, TEXTS),
    "number": (int, INTS),
    "real": (float, FLOATS),
    "flag": (bool, [True, False]),
    "money": (
        Annotated[Decimal, Digits(18, 2)],
        [Decimal(each) for each in ("0", "1.5", "-1.5", "9.99", "10", "9999999999999999.99",
                                    "-9999999999999999.99")],
    ),
    "wide": (
        Annotated[Decimal, Digits(30, 5)],
        [Decimal(each) for each in ("0", "9", "10", "-9", "-10", "1.5", "0.00001",
                                    "9999999999999999999999999.99999")],
    ),
    "free": (
        Decimal,
        [Decimal(each) for each in ("0", "9", "10", "-9", "-10", "1.5", "1.50", "1e-30", "1e30",
                                    "123456789012345678901234567890.5")]
        + [Decimal(10**999), Decimal(-(10**999))],
    ),
    "instant": (
        datetime,
        [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 1, UTC),
         datetime(1969, 12, 31, tzinfo=UTC), datetime.min.replace(tzinfo=UTC),
         datetime.max.replace(tzinfo=UTC)],
    ),
    "day": (date, [date.min, date.max, date(2026, 1, 2), date(1969, 12, 31)]),
    "clock": (time, [time.min, time.max, time(12), time(12, 0, 0, 1)]),
    "span": (
        timedelta,
        [timedelta(0), timedelta(days=40), timedelta(hours=960, microseconds=1), -MICROSECOND,
         (2**63 - 1) * MICROSECOND, -(2**63 - 1) * MICROSECOND],
    ),
    "mark": (UUID, [UUID(int=0), UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)]),
    "color": (Color, list(Color)),
    "level": (Level, list(Level)),
    "letter": (Literal["a", "B", "é"], ["a", "B", "é"]),
    "blob": (bytes, [b"", b"\0", b"a", b"A", b"\xff", b"a\0b", "é".encode()]),
}  # fmt: skip


def pool_of(name: str) -> list[Any]:
    return POOLS[name.removeprefix("maybe_")][1]


# -- an evaluator of its own ------------------------------------------------------


def plain(value: Any) -> Any:
    """Return what is stored of a choice."""
    return value.value if isinstance(value, Enum) else value


def like(pattern: str) -> re.Pattern[str]:
    written = ""
    rest = iter(pattern)
    for sign in rest:
        if sign == "\\":
            written += re.escape(next(rest))
        else:
            written += {"%": ".*", "_": "."}.get(sign) or re.escape(sign)
    return re.compile(written, re.DOTALL)


PATTERNS = {  # as the databases read it, and as Python does
    "^a": r"\Aa",
    "b$": r"b\Z",
    "^$": r"\A\Z",
    "a.b": r"a.b",
    "[^a]": r"[^a]",
    r"\s": r"\s",
    r"\w": r"\w",
    r"\W": r"\W",
    r"^[\d-]+$": r"\A[\d-]+\Z",
    "(a|é)b?": r"(a|é)b?",
    r"\\|%": r"\\|%",
    "[a-\U0001f600]{2}": "[a-\U0001f600]{2}",
}

TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
    "$like": lambda left, right: like(right).fullmatch(left) is not None,
    "$regex": lambda left, right: (
        re.search(PATTERNS[right], left, re.ASCII | re.DOTALL) is not None
    ),
    "$contains": lambda left, right: right in left,
    "$startsWith": lambda left, right: left.startswith(right),
    "$endsWith": lambda left, right: left.endswith(right),
}


def holds(value: Any, operator: str, operand: Any) -> bool:
    """Tell whether one operator lets a value through; None is no value."""
    match operator:
        case "$not":
            return not behind(value, operand)
        case "$eq" | "$ne":
            return (value == plain(operand)) is (operator == "$eq")
        case "$in" | "$nin":
            return (value in list(map(plain, operand))) is (operator == "$in")
        case "$null" | "$exists":
            return (value is None) is (operand is (operator == "$null"))
        case "$between":
            low, high = map(plain, operand)
            return value is not None and low <= value <= high
        case _:
            return value is not None and TESTS[operator](value, plain(operand))


def behind(value: Any, condition: Any) -> bool:
    """Evaluate what stands behind a field."""
    if isinstance(condition, dict):
        pairs = cast("dict[str, Any]", condition).items()
        return all(holds(value, name, operand) for name, operand in pairs)
    return bool(value == plain(condition))


def lets_through(condition: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Evaluate a filter."""
    return all(_entry(name, value, row) for name, value in condition.items())


def _entry(name: str, value: Any, row: Mapping[str, Any]) -> bool:
    match name:
        case "$and":
            return all(lets_through(part, row) for part in value)
        case "$or":
            return any(lets_through(part, row) for part in value)
        case "$nor":
            return not any(lets_through(part, row) for part in value)
        case "$not":
            return not lets_through(value, row)
        case _:
            return behind(plain(row[name]), value)
