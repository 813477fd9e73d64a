"""What SQLite lacks of PostgreSQL: functions, aggregates and a collation in Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Final, Protocol, final

from ...models import Digits, FieldType, Kind, MismatchError
from ...sql import DecimalSum, decimal_mean, decimal_of, json_at

__all__ = ["give_functions"]

PATTERNS_CACHED: Final = 256
"""Compiled regular expressions, for the whole process."""

_EXACT: Final = Context(prec=10_000, traps=[InvalidOperation, Inexact])
"""Room for sums and products of what `Digits` allows."""


def give_functions(connection: sqlite3.Connection) -> None:
    """Give *connection* functions, and the collation ``DECIMAL``.

    ``text REGEXP pattern`` searches with RE2: in linear time, case-sensitive, the dot
    matches newlines as on PostgreSQL; NULL on either side gives NULL.
    ``COLLATE DECIMAL`` orders decimal numbers kept as text by their value; what is no
    number comes after them. ``decimal_add(a, b, precision, scale)`` and ``decimal_mul``
    calculate with them, exactly; NULL where the result is none for a field of that
    size. ``decimal_sum(text)``, ``decimal_of(high, low, scale, is_whole)`` and
    ``decimal_mean(total, count)`` are for sums and averages; see `sql.aggregates`.
    ``dataflow_note()`` is true, and counts its calls;
    ``dataflow_noted()`` tells the count and starts anew.
    """
    notes = _Notes()
    connection.create_function("dataflow_note", 0, notes.add)
    connection.create_function("dataflow_noted", 0, notes.take)
    connection.create_function("regexp", 2, _regexp, deterministic=True)
    connection.create_function("json_at", 3, json_at, deterministic=True)
    connection.create_collation("DECIMAL", _compare_decimals)
    for name, calculate in (("add", _EXACT.add), ("mul", _EXACT.multiply)):
        function = partial(_calculate, calculate)
        connection.create_function(f"decimal_{name}", 4, function, deterministic=True)
    decimal_sum: Any = DecimalSum  # typeshed knows aggregates of ints only
    connection.create_aggregate("decimal_sum", 1, decimal_sum)
    connection.create_function("decimal_of", 4, decimal_of, deterministic=True)
    connection.create_function("decimal_mean", 2, decimal_mean, deterministic=True)


@final
class _Notes:
    """Counts calls."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> bool:
        """Count one."""
        self._count += 1
        return True

    def take(self) -> int:
        """Return the count, and start anew."""
        count, self._count = self._count, 0
        return count


def _regexp(pattern: str | None, value: object) -> bool | None:
    """Search *pattern* in *value*; SQLite calls it for ``value REGEXP pattern``."""
    if pattern is None or value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return _compile(pattern).search(text) is not None


class _Pattern(Protocol):
    def search(self, text: str) -> object: ...


@lru_cache(PATTERNS_CACHED)
def _compile(pattern: str) -> _Pattern:
    # Imported only where a regular expression is used; it has no types.
    re2: Any = import_module("re2")
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    compiled: _Pattern = re2.compile(pattern, options)
    return compiled


def _compare_decimals(left: str, right: str) -> int:
    left_key, right_key = _decimal_key(left), _decimal_key(right)
    return -1 if left_key < right_key else int(left_key > right_key)


def _calculate(
    calculate: Callable[[Decimal, Decimal], Decimal],
    left: object,
    right: object,
    precision: int | None,
    scale: int | None,
) -> str | None:
    """Return the result as text, or None where there is none that fits."""
    if not (isinstance(left, str) and isinstance(right, str)):
        return None
    try:
        result = calculate(Decimal(left), Decimal(right))
        return format(_decimal_type(precision, scale).check(result), "f")
    except (ArithmeticError, MismatchError):
        return None


@lru_cache
def _decimal_type(precision: int | None, scale: int | None) -> FieldType:
    digits = None if precision is None else Digits(precision, scale or 0)
    return FieldType(Kind.DECIMAL, Decimal, digits=digits)


def _decimal_key(text: str) -> tuple[int, Decimal, str]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return (1, Decimal(0), text)
    return (1, Decimal(0), text) if number.is_nan() else (0, number, "")
