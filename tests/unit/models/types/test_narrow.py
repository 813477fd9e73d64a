"""Values for columns that hold less than their kind does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dataflow.models import FieldType, Kind, MismatchError

NAIVE = datetime(2024, 2, 29, 12)  # noqa: DTZ001


class Stamp(datetime):
    """A datetime of a class of its own, as pandas has one."""


@pytest.mark.parametrize(
    ("kind", "column", "value", "normal"),
    [
        (Kind.INT, "smallint", -(2**15), -(2**15)),
        (Kind.INT, "integer", 2**31 - 1, 2**31 - 1),
        (Kind.FLOAT, "real", 0.1, 0.10000000149011612),
        (Kind.STR, "inet", "10.0.0.1/32", "10.0.0.1"),
        (Kind.STR, "inet", "10.0.0.1/8", "10.0.0.1/8"),
        (Kind.STR, "inet", "0:0::1", "::1"),
        (Kind.STR, "cidr", "10.0.0.0/8", "10.0.0.0/8"),
        (Kind.STR, "macaddr", "0800.2B01.0203", "08:00:2b:01:02:03"),
        (Kind.STR, "macaddr8", "08002b:010203", "08:00:2b:ff:fe:01:02:03"),
        (Kind.STR, "macaddr8", "08002bfffe010203", "08:00:2b:ff:fe:01:02:03"),
        (Kind.DECIMAL, "NUMERIC", Decimal(123456789012345), Decimal(123456789012345)),
        (Kind.NAIVE_DATETIME, None, NAIVE, NAIVE),
        (Kind.NAIVE_DATETIME, None, Stamp(2024, 2, 29, 12), NAIVE),
    ],
)
def test_a_value_comes_in_its_normal_form(
    kind: Kind, column: str | None, value: Any, normal: Any
) -> None:
    checked = FieldType(kind, object, column=column).check(value)

    assert checked == normal
    assert type(checked) is type(normal)


@pytest.mark.parametrize(
    ("kind", "column", "value", "message"),
    [
        (Kind.INT, "smallint", 2**15, "16 bits"),
        (Kind.INT, "integer", -(2**31) - 1, "32 bits"),
        (Kind.INT, "integer", True, "bool"),
        (Kind.FLOAT, "real", 1e39, "single precision"),
        (Kind.STR, "inet", "nowhere", "IP address"),
        (Kind.STR, "cidr", "10.0.0.1/8", "IP network"),
        (Kind.STR, "macaddr", "08:00:2b:01:02", "6 bytes"),
        (Kind.STR, "macaddr8", "nowhere", "8 bytes"),
        (Kind.STR, "macaddr", "x8002b010203", "6 bytes"),
        (Kind.DECIMAL, "NUMERIC", Decimal("0.1234567890123456"), "15 digits"),
        (Kind.NAIVE_DATETIME, None, NAIVE.replace(tzinfo=UTC), "without timezone"),
        (Kind.NAIVE_DATETIME, None, "2024-02-29", "fromisoformat"),
        (Kind.NAIVE_DATETIME, None, date(2024, 2, 29), "at what time"),
    ],
)
def test_what_the_column_does_not_hold_is_refused(
    kind: Kind, column: str | None, value: Any, message: str
) -> None:
    with pytest.raises(MismatchError, match=message):
        FieldType(kind, object, column=column).check(value)


def test_a_type_is_told_with_its_column() -> None:
    assert FieldType(Kind.INT, int, column="smallint").describe() == "int (smallint)"
    assert (
        FieldType(Kind.NAIVE_DATETIME, datetime).describe()
        == "datetime (without timezone)"
    )
    assert FieldType(Kind.INT, int) != FieldType(Kind.INT, int, column="smallint")
