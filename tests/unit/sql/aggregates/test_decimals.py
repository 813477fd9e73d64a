from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.sql import DecimalSum, decimal_mean, decimal_of
from dataflow.sql.aggregates import MEAN_DIGITS

INTS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)


def total(values: list[Any]) -> str | None:
    made = DecimalSum()
    for value in values:
        made.step(value)
    return made.finalize()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([None, None], None),
        (["1.5", None, "1.50"], "3.00"),
        (["1e30", "-0.1"], "999999999999999999999999999999.9"),
        ([1, "0.5", 2**63], "9223372036854775809.5"),
        (["x"], "NaN"),
        (["1", "x", "2"], "NaN"),
        (["1", 0.5], "NaN"),
        (["1", b"1"], "NaN"),
        (["1", True], "NaN"),
        (["1", "1e20000"], "NaN"),
        (["NaN", "1"], "NaN"),
    ],
    ids=str,
)
def test_a_sum_is_exact_or_no_number(values: list[Any], expected: str | None) -> None:
    assert total(values) == expected


@given(INTS, st.integers(0, 18))
def test_the_halves_of_integers_make_up_their_sum(
    values: list[int], scale: int
) -> None:
    high = sum(value >> 32 for value in values)
    low = sum(value & 0xFFFFFFFF for value in values)
    found = decimal_of(high, low, scale, is_whole=True)

    assert found is not None
    assert Fraction(found) == Fraction(sum(values), 10**scale)
    assert -int(Decimal(found).as_tuple().exponent) == scale


def test_without_values_there_is_no_sum_and_no_mean() -> None:
    assert decimal_of(None, None, 0, is_whole=False) is None
    assert decimal_mean(None, 0) is None


def test_what_was_no_integer_has_no_sum_and_no_mean() -> None:
    assert decimal_of(1, 2, 0, is_whole=0) == "NaN"
    assert decimal_mean("NaN", 2) == "NaN"


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        ("1", 2, "0.5000000000000000"),
        ("1", 3, "0.3333333333333333"),
        ("2", 3, "0.6666666666666667"),
        ("-2", 3, "-0.6666666666666667"),
        ("1.00", 3, "0.333333333333333333"),
        ("1", 2 * 10**16, "0.0000000000000001"),
        ("-1", 2 * 10**16, "-0.0000000000000001"),
        ("1", 2 * 10**16 + 1, "0.0000000000000000"),
        ("-1", 2 * 10**16 + 1, "0.0000000000000000"),
        ("0", 7, "0.0000000000000000"),
    ],
)
def test_a_mean_is_rounded_once_half_away_from_zero(
    total: str, count: int, expected: str
) -> None:
    assert decimal_mean(total, count) == expected


@given(INTS, st.integers(1, 10**6))
def test_a_mean_is_no_further_off_than_half_its_last_digit(
    values: list[int], count: int
) -> None:
    found = decimal_mean(str(sum(values)), count)

    assert found is not None
    error = abs(Fraction(found) - Fraction(sum(values), count))
    assert error * 2 <= Fraction(1, 10**MEAN_DIGITS)
