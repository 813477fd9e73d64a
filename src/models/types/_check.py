"""Checks of single values: what one database would refuse, both do, and first.

Rules of this file: a check returns the value in its one normal form (an exact
built-in type, UTC, no negative zero) or raises `MismatchError`; the first line
is the fast path; a message describes the type of a value, never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from math import inf, isfinite
from typing import Any, Final, cast
from uuid import UUID

from ._mismatch import MismatchError, mismatch

__all__ = [
    "Check",
    "check_bool",
    "check_bytes",
    "check_date",
    "check_datetime",
    "check_float",
    "check_int",
    "check_naive_datetime",
    "check_str",
    "check_time",
    "check_timedelta",
    "check_uuid",
    "each",
    "one_of",
]

Check = Callable[[Any], Any]
"""Return the value in its normal form, or raise `MismatchError`."""

_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63 - 1
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_TIMEDELTA: Final = _MAX_INT * _MICROSECOND

_DATETIME: Final = "datetime (timezone-aware, such as datetime.now(UTC))"
_NAIVE_DATETIME: Final = "datetime (without timezone)"


def check_int(value: object) -> int:
    """Check for an int of 64 bits; a bool is not one."""
    if type(value) is not int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise mismatch(value, "int")
        value = int(value)
    if not _MIN_INT <= value <= _MAX_INT:
        came = "an int beyond 64 bits"
        raise MismatchError(came, "int (64 bits)")
    return value


def check_float(value: object) -> float:
    """Check for a finite float, or an int that a float holds exactly."""
    if type(value) is not float:
        value = _as_float(value)
    if not isfinite(value):
        came = "a float that is not finite"
        raise MismatchError(came, "float (finite)")
    # SQLite would store negative zero as zero.
    return value + 0.0


def _as_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise mismatch(value, "float", Decimal="lossy: declare the field as Decimal")
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if isinstance(value, int) and number != value:
        came = "an int that a float cannot hold exactly"
        raise MismatchError(came, "float")
    return number


def check_bool(value: object) -> bool:
    """Check for True or False; 1 and 0 are not."""
    if type(value) is not bool:
        raise mismatch(value, "bool")
    return value


def check_str(value: object) -> str:
    """Check for text that both databases store: no NUL, no lone surrogate."""
    if type(value) is not str:
        if not isinstance(value, str):
            raise mismatch(value, "str")
        value = str.__str__(value)
    if "\0" in value:
        came = "a str with a NUL character"
        raise MismatchError(came, "str without NUL")
    if not value.isascii() and not _is_unicode(value):
        came = "a str with a lone surrogate"
        raise MismatchError(came, "str of valid Unicode")
    return value


def _is_unicode(value: str) -> bool:
    """Whether *value* can be encoded; what says why not would hold the text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_bytes(value: object) -> bytes:
    """Check for bytes, or what holds bytes."""
    if type(value) is not bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise mismatch(value, "bytes", str="encode it")
        value = bytes(cast("bytes", value))
    return value


def check_date(value: object) -> date:
    """Check for a date; a datetime is not one."""
    if type(value) is not date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise mismatch(
                value,
                "date",
                datetime="take its .date()",
                str="make it one with date.fromisoformat(value)",
            )
        value = date(value.year, value.month, value.day)
    return value


def check_time(value: object) -> time:
    """Check for a time of day without timezone."""
    if not isinstance(value, time):
        raise mismatch(value, "time", str="make it one with time.fromisoformat(value)")
    if value.tzinfo is not None:
        came = "a time with timezone (a datetime carries one)"
        raise MismatchError(came, "time (without timezone)")
    return value


def check_datetime(value: object) -> datetime:
    """Check for a datetime with timezone, and return it in UTC."""
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime):
        raise mismatch(
            value,
            _DATETIME,
            str="make it one with datetime.fromisoformat(value)",
            date="say at what time",
        )
    if value.utcoffset() is None:
        came = "a datetime without timezone"
        raise MismatchError(came, _DATETIME)
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        came = "a datetime that in UTC is outside the years 1 to 9999"
        raise MismatchError(came, _DATETIME) from None
    return datetime.combine(value.date(), value.time(), UTC)


def check_naive_datetime(value: object) -> datetime:
    """Check for a datetime without timezone."""
    if type(value) is datetime and value.tzinfo is None:
        return value
    if not isinstance(value, datetime):
        raise mismatch(
            value,
            _NAIVE_DATETIME,
            str="make it one with datetime.fromisoformat(value)",
            date="say at what time",
        )
    if value.tzinfo is not None:
        came = "a datetime with timezone (take it off with .replace(tzinfo=None))"
        raise MismatchError(came, _NAIVE_DATETIME)
    return datetime.combine(value.date(), value.time())


def check_timedelta(value: object) -> timedelta:
    """Check for a timedelta whose microseconds fit in 64 bits."""
    if not isinstance(value, timedelta):
        raise mismatch(value, "timedelta", int="make it one with timedelta(...)")
    if not -_MAX_TIMEDELTA <= value <= _MAX_TIMEDELTA:
        came = "a timedelta of over 292271 years"
        raise MismatchError(came, "timedelta (microseconds in 64 bits)")
    return value


def check_uuid(value: object) -> UUID:
    """Check for a UUID."""
    if not isinstance(value, UUID):
        raise mismatch(value, "UUID", str="make it one with UUID(value)")
    return value


def one_of(choices: Mapping[Any, Any], check: Check, expected: str) -> Check:
    """Return the check for one of *choices*.

    Args:
        choices: What is stored of each choice, and the choice.
        check: Check of what is stored.
        expected: The choices in words.
    """
    members = frozenset(choices.values())
    member_type = type(cast("object", next(iter(members))))

    def check_choice(value: object) -> object:
        if type(value) is member_type and value in members:
            return value
        try:
            return choices[check(value)]
        except KeyError:
            came = f"another {type(value).__name__}"
            raise MismatchError(came, expected) from None
        except MismatchError:
            raise mismatch(value, expected) from None

    return check_choice


def each(check: Check, expected: str) -> Check:
    """Return the check for a list whose elements pass *check*."""

    def check_list(value: object) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise mismatch(value, expected)
        elements: list[Any] = []
        try:
            for element in cast("list[Any]", value):
                elements.append(check(element))  # noqa: PERF401  # keeps the index
        except MismatchError as error:
            raise error.inside(f"[{len(elements)}]", expected) from None
        return elements

    return check_list
