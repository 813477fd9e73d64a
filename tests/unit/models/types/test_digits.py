from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest

from dataflow.models import Digits, MismatchError
from dataflow.models.types._digits import check_decimal, fitting


class Money(Decimal):
    pass


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+5"), "100000"),
        (Decimal("1E-7"), "1E-7"),
        (Decimal("-0.0"), "0.0"),
        (Decimal("0E+3"), "0"),
        (7, "7"),
        (Money(3), "3"),
        (Decimal(10**999), str(10**999)),
        (Decimal("1E+999"), str(10**999)),
    ],
)
def test_a_decimal_keeps_its_digits_and_loses_its_exponent(
    value: object, normal: str
) -> None:
    with localcontext(Context(prec=3)):
        result = check_decimal(value)

    assert str(result) == normal
    assert type(result) is Decimal


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, "takes Decimal, not float (make it exact with Decimal(str(value)))"),
        ("1", "takes Decimal, not str (make it a number with Decimal(value))"),
        (True, "takes Decimal, not bool"),
        (Decimal("NaN"), "takes Decimal, not a Decimal that is not finite"),
        (Decimal("-Infinity"), "takes Decimal, not a Decimal that is not finite"),
        (10**2000, "takes Decimal, not an int with over 1000 digits"),
        (
            Decimal("1E+1000"),
            (
                "takes Decimal, not a Decimal with over 1000 digits before or after the "
                "point"
            ),
        ),
        (
            Decimal("1E-1001"),
            (
                "takes Decimal, not a Decimal with over 1000 digits before or after the "
                "point"
            ),
        ),
    ],
)
def test_what_is_no_exact_finite_number_is_refused(value: object, message: str) -> None:
    with pytest.raises(MismatchError) as caught:
        check_decimal(value)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        (Decimal("1.5"), "1.50"),
        (Decimal("1.500"), "1.50"),
        (Decimal("-0"), "0.00"),
        (12345678, "12345678.00"),
        (Decimal("99999999.99"), "99999999.99"),
    ],
)
def test_a_sized_decimal_has_all_its_places(value: object, normal: str) -> None:
    with localcontext(Context(prec=3)):
        assert str(fitting(Digits(10, 2))(value)) == normal


@pytest.mark.parametrize("value", [Decimal("1.005"), Decimal(10**8), 10**30])
def test_a_sized_decimal_is_never_rounded(value: object) -> None:
    with pytest.raises(MismatchError) as caught:
        fitting(Digits(10, 2))(value)

    expected = "Decimal (10 digits, 2 after the point)"
    assert str(caught.value) == f"takes {expected}, not a Decimal with more digits"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 0), "a Decimal has 1 to 1000 digits, not 0"),
        ((1001, 0), "a Decimal has 1 to 1000 digits, not 1001"),
        ((5, 6), "of 5 digits, 0 to 5 come after the point, not 6"),
        ((5, -1), "of 5 digits, 0 to 5 come after the point, not -1"),
    ],
)
def test_digits_that_postgresql_refuses_are_refused(
    sizes: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match="digits") as caught:
        Digits(*sizes)

    assert str(caught.value) == message
