"""Changes that are computed from what is stored, such as ``"stock" + $1``.

Rules of this file: a result is exact, and within what a value given for the field may
be, or the statement fails as a whole. NULL stays NULL. Where a database would round,
wrap or switch to floats instead, the expression makes it fail, by something that is
out of range and depends on the column: what depends on nothing would be computed, and
would fail, while the statement is planned.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Final

import msgspec

from ...models import Field, FieldType, Kind
from .._codec import codec
from .._column import FLOAT_DIGITS, NUMERIC, is_scaled
from .._dialect import POSTGRESQL, SQLITE, Dialect

__all__ = ["Arithmetic", "Operator", "arithmetic_text", "operand_type", "operators"]

Place = Callable[[Any], str]


class Operator(StrEnum):
    """How a change is computed from the stored value."""

    INC = "$inc"
    MUL = "$mul"

    @property
    def sign(self) -> str:
        """The same in SQL."""
        return "+" if self is Operator.INC else "*"


class Arithmetic(msgspec.Struct, frozen=True, eq=False):
    """The stored value, plus or times something.

    Attributes:
        field: What changes.
        operator: How.
        operand: By what; checked by `operand_type`.
    """

    field: Field
    operator: Operator
    operand: Any


_OPERATORS: Final = {
    Kind.INT: tuple(Operator),
    Kind.FLOAT: tuple(Operator),
    Kind.DECIMAL: tuple(Operator),
    Kind.TIMEDELTA: (Operator.INC,),
}
_MAX_INT: Final = 2**63 - 1
_MAX_TIMEDELTA: Final = timedelta(microseconds=_MAX_INT)
_MAX_DIGITS: Final = 1_000
"""Digits of a Decimal on either side of the point; see `models.Digits`."""


def operators(type_: FieldType) -> tuple[Operator, ...]:
    """Return what fields of *type_* can be changed by."""
    if type_.column == NUMERIC and (type_.precision or _MAX_DIGITS) > FLOAT_DIGITS:
        return ()  # nothing would tell that a result was rounded
    return _OPERATORS.get(type_.kind, ())


@cache
def operand_type(type_: FieldType, operator: Operator) -> FieldType:
    """Return what the operand must be: of the field's own type.

    A factor for a Decimal may have any digits, as long as the products fit.
    """
    is_factor = type_.kind is Kind.DECIMAL and operator is Operator.MUL
    return FieldType(Kind.DECIMAL, Decimal) if is_factor else type_


def arithmetic_text(
    change: Arithmetic, column: str, dialect: Dialect, place: Place
) -> str:
    """Return the expression of the new value.

    Args:
        change: What to compute.
        column: Its quoted name.
        dialect: In which SQL.
        place: Adds an encoded parameter and returns its placeholder.
    """
    if dialect is POSTGRESQL:
        return _POSTGRESQL[change.field.type.kind](change, column, place)
    return _SQLITE[change.field.type.kind](change, column, place)


# -- PostgreSQL: fails by itself with 22003, but rounds numeric(p, s) -------------


def _postgresql_int(change: Arithmetic, column: str, place: Place) -> str:
    return f"{column} {change.operator.sign} {place(change.operand)}::bigint"


def _postgresql_float(change: Arithmetic, column: str, place: Place) -> str:
    # The zero makes a negative zero positive.
    operand = f"{place(change.operand)}::double precision"
    return f"{column} {change.operator.sign} {operand} + 0"


def _postgresql_decimal(change: Arithmetic, column: str, place: Place) -> str:
    result = f"{column} {change.operator.sign} {place(change.operand)}::numeric"
    digits = change.field.type.digits
    if digits is None:
        is_large = f"abs({result}) >= '1e{_MAX_DIGITS}'::numeric"
        is_long = f"scale({result}) > {_MAX_DIGITS}"
        failure = f"power(10::numeric, 200000 + scale({column}))"
        return f"CASE WHEN {is_large} OR {is_long} THEN {failure} ELSE {result} END"
    if change.operator is Operator.INC:
        return result
    is_inexact = f"{result} <> trunc({result}, {digits.scale})"
    # One digit more than the column takes.
    failure = f"'1e{digits.precision}'::numeric"
    return f"CASE WHEN {is_inexact} THEN {failure} ELSE {result} END"


def _postgresql_timedelta(change: Arithmetic, column: str, place: Place) -> str:
    result = f"({column} + {place(change.operand)}::interval)"
    least, most = place(-_MAX_TIMEDELTA), place(_MAX_TIMEDELTA)
    is_far = f"{result} NOT BETWEEN {least}::interval AND {most}::interval"
    return f"CASE WHEN {is_far} THEN {result} * 1e30 ELSE {result} END"


_POSTGRESQL: Final = {
    Kind.INT: _postgresql_int,
    Kind.FLOAT: _postgresql_float,
    Kind.DECIMAL: _postgresql_decimal,
    Kind.TIMEDELTA: _postgresql_timedelta,
}


# -- SQLite: an integer that overflows turns into a float -------------------------


def _failure(column: str) -> str:
    """Return the "integer overflow" that SQLite has for the least integer.

    Source: sqlite.org/lang_corefunc.html, abs(X).
    """
    return f"abs(-{_MAX_INT} - ({column} IS NOT NULL))"


def _guarded(column: str, condition: str, result: str) -> str:
    failure = f"WHEN {column} IS NOT NULL THEN {_failure(column)}"
    return f"CASE WHEN {condition} THEN {result} {failure} END"


def _is_int(value: str) -> str:
    return f"typeof({value}) = 'integer'"


def _sqlite_int(change: Arithmetic, column: str, place: Place) -> str:
    result = f"{column} {change.operator.sign} {place(change.operand)}"
    return _guarded(column, f"{_is_int(column)} AND {_is_int(result)}", result)


def _sqlite_timedelta(change: Arithmetic, column: str, place: Place) -> str:
    operand = _encoded(change)
    result = f"{column} + {place(operand)}"
    # The least integer of 64 bits has no counterpart above zero.
    fits = f"{_is_int(result)} AND {result} >= -{_MAX_INT}"
    return _guarded(column, f"{_is_int(column)} AND {fits}", result)


def _sqlite_float(change: Arithmetic, column: str, place: Place) -> str:
    operand = place(change.operand)
    result = f"{column} {change.operator.sign} {operand}"
    fits = f"abs({result}) <= {place(sys.float_info.max)}"
    if change.operator is Operator.MUL:  # PostgreSQL refuses what comes to nothing
        fits += f" AND ({result} <> 0 OR {column} = 0 OR {operand} = 0)"
    return _guarded(
        column, f"typeof({column}) IN ('real', 'integer') AND {fits}", result
    )


def _sqlite_decimal(change: Arithmetic, column: str, place: Place) -> str:
    if not is_scaled(change.field.type):
        return _sqlite_decimal_text(change, column, place)
    most = f"{10 ** (change.field.type.precision or 0)}"
    if change.operator is Operator.INC:
        result, fits = f"{column} + {place(_encoded(change))}", _is_int(column)
    else:
        # A fraction in lowest terms: the product is whole if the denominator divides
        # what is stored, and dividing first overflows only where the product does.
        factor, divisor = _fraction(change.operand)
        divide_by = place(divisor)
        result = f"{column} / {divide_by} * {place(factor)}"
        fits = f"{_is_int(column)} AND {column} % {divide_by} = 0"
    return _guarded(column, f"{fits} AND abs({result}) < {most}", result)


def _sqlite_decimal_text(change: Arithmetic, column: str, place: Place) -> str:
    digits = change.field.type.digits
    if change.field.type.column == NUMERIC:
        column = f"CAST({column} AS TEXT)"
    size = "NULL, NULL" if digits is None else f"{digits.precision}, {digits.scale}"
    function = "decimal_add" if change.operator is Operator.INC else "decimal_mul"
    # The driver's functions; NULL where the result does not fit.
    result = f"{function}({column}, {place(_encoded(change))}, {size})"
    failure = f"CASE WHEN {column} IS NOT NULL THEN {_failure(column)} END"
    return f"coalesce({result}, {failure})"


def _encoded(change: Arithmetic) -> Any:  # noqa: ANN401  # what the client takes
    encode = codec(operand_type(change.field.type, change.operator), SQLITE).encode
    return change.operand if encode is None else encode(change.operand)


def _fraction(operand: Decimal) -> tuple[int, int]:
    """Return numerator and denominator, each at most 64 bits.

    What is larger has no fitting product but zero, and neither has the bound.
    """
    factor, divisor = operand.as_integer_ratio()
    return max(-_MAX_INT, min(factor, _MAX_INT)), min(divisor, _MAX_INT)


_SQLITE: Final = {
    Kind.INT: _sqlite_int,
    Kind.FLOAT: _sqlite_float,
    Kind.DECIMAL: _sqlite_decimal,
    Kind.TIMEDELTA: _sqlite_timedelta,
}
