"""Decimal numbers: what both databases hold exactly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

import msgspec

from ._mismatch import MismatchError, mismatch

__all__ = ["Digits", "check_decimal", "fitting"]

_MAX_DIGITS: Final = 1000
"""Digits on either side of the point.

PostgreSQL holds 131072 before and 16383 after it in a plain ``numeric``, and
1000 in a ``numeric(p, s)``: the smaller bound keeps one rule for all.
Source: PostgreSQL, Arbitrary Precision Numbers.
"""
_MAX_BITS: Final = 3322  # of an int of _MAX_DIGITS digits
_ONE: Final = Decimal(1)
_WIDE: Final = Context(prec=2 * _MAX_DIGITS, traps=[InvalidOperation, Inexact])


class Digits(msgspec.Struct, frozen=True):
    """Size of a `Decimal` field, as in ``Annotated[Decimal, Digits(10, 2)]``.

    Attributes:
        precision: Digits altogether, 1 to 1000.
        scale: Digits after the point, 0 to *precision*.
    """

    precision: int
    scale: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.precision <= _MAX_DIGITS:
            msg = f"a Decimal has 1 to {_MAX_DIGITS} digits, not {self.precision}"
            raise ValueError(msg)
        if not 0 <= self.scale <= self.precision:
            msg = (
                f"of {self.precision} digits, 0 to {self.precision} come after the "
                f"point, not {self.scale}"
            )
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"Decimal ({self.precision} digits, {self.scale} after the point)"


def check_decimal(value: object) -> Decimal:
    """Return *value* as a finite Decimal without a positive exponent.

    Trailing zeros after the point are kept: both databases store them.
    """
    number = _number(value, "Decimal")
    if not number:
        number = number.copy_abs()  # neither database stores a negative zero
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _MAX_DIGITS or exponent < -_MAX_DIGITS:
        came = f"a Decimal with over {_MAX_DIGITS} digits before or after the point"
        raise MismatchError(came, "Decimal")
    return number if exponent <= 0 else number.quantize(_ONE, context=_WIDE)


def fitting(digits: Digits) -> Callable[[Any], Decimal]:
    """Return the check for *digits*; what does not fit is refused, never rounded."""
    expected = str(digits)
    context = Context(prec=digits.precision, traps=[InvalidOperation, Inexact])
    unit = _ONE.scaleb(-digits.scale, _WIDE)
    zero = Decimal(0).quantize(unit, context=_WIDE)

    def check(value: object) -> Decimal:
        number = _number(value, expected)
        try:
            return number.quantize(unit, context=context) if number else zero
        except (InvalidOperation, Inexact):
            came = "a Decimal with more digits"
            raise MismatchError(came, expected) from None

    return check


def _number(value: object, expected: str) -> Decimal:
    if type(value) is not Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise mismatch(
                value,
                expected,
                float="make it exact with Decimal(str(value))",
                str="make it a number with Decimal(value)",
            )
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            came = f"an int with over {_MAX_DIGITS} digits"
            raise MismatchError(came, expected)
        value = Decimal(value)
    if not value.is_finite():
        came = "a Decimal that is not finite"
        raise MismatchError(came, expected)
    return value
