"""Exact sums and averages on SQLite, which has neither: functions in Python.

The driver registers them on its connections. Exact numbers travel as text, which the
collation ``DECIMAL`` orders; ``NaN`` stands for a sum of something that is no number,
and does not decode.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final, final

__all__ = ["MEAN_DIGITS", "DecimalSum", "decimal_mean", "decimal_of"]

MEAN_DIGITS: Final = 16
"""Digits that an average has after those of the sum; the last one is rounded."""

_EXACT: Final = Context(prec=10_000, traps=[InvalidOperation, Inexact])
"""Room for sums of what `models.Digits` allows."""

_NO_NUMBER: Final = Decimal("NaN")


@final
class DecimalSum:
    """``decimal_sum(text)``: the exact sum, as text; NULL without any number."""

    __slots__ = ("_total",)

    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: object) -> None:
        """Take one more value; NULL is none."""
        if value is None:
            return
        total = self._total
        try:
            number = Decimal(value if isinstance(value, str) else _whole(value))
            self._total = number if total is None else _EXACT.add(total, number)
        except (ArithmeticError, TypeError):
            self._total = _NO_NUMBER

    def finalize(self) -> str | None:
        """Return the sum."""
        return None if self._total is None else format(self._total, "f")


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(type(value).__name__)
    return value


def decimal_of(
    high: int | None, low: int | None, scale: int, is_whole: object
) -> str | None:
    """Return the sum of integers of any size, divided by ten to the *scale*.

    Args:
        high: Sum of the upper 32 bits of each, with their sign; None without any.
        low: Sum of the lower 32 bits of each.
        scale: Digits after the point.
        is_whole: Whether all of them were integers.
    """
    if high is None or low is None:
        return None
    if not is_whole:
        return str(_NO_NUMBER)
    return _text((high << 32) + low, scale)


def decimal_mean(total: str | None, count: int) -> str | None:
    """Return an average, rounded half away from zero after `MEAN_DIGITS` digits.

    Args:
        total: The exact sum, or None.
        count: Of how many.
    """
    if total is None:
        return None
    number = Decimal(total)
    if not number.is_finite():
        return str(_NO_NUMBER)
    scale = -int(number.as_tuple().exponent)
    digits = int(number.scaleb(scale, _EXACT)) * 10**MEAN_DIGITS
    rounded = (2 * abs(digits) + count) // (2 * count)
    return _text(-rounded if digits < 0 else rounded, scale + MEAN_DIGITS)


def _text(digits: int, scale: int) -> str:
    return format(Decimal(digits).scaleb(-scale, _EXACT), "f")
