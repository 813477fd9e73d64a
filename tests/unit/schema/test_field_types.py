"""Names of types of columns, and what fields of them hold."""

from __future__ import annotations

import pytest

from dataflow.models import Kind
from dataflow.schema.reading import ColumnType, field_type


@pytest.mark.parametrize(
    ("dialect", "text", "kind"),
    [
        ("postgresql", "character varying(20)", Kind.STR),
        ("postgresql", "timestamp(3) without time zone", Kind.NAIVE_DATETIME),
        ("postgresql", "time(0) without time zone", Kind.TIME),
        ("postgresql", "numeric(10,2)", Kind.DECIMAL),
        ("postgresql", "extensions.citext", Kind.STR),
        ("postgresql", "integer[]", Kind.LIST),
        ("postgresql", "interval", Kind.TIMEDELTA),
        ("sqlite", "int", Kind.INT),
        ("sqlite", "UNSIGNED BIG INT", Kind.INT),
        ("sqlite", "varchar ( 20 )", Kind.STR),
        ("sqlite", "Double  Precision", Kind.FLOAT),
        ("sqlite", "decimal(10, 2)", Kind.DECIMAL),
        ("sqlite", "datetime", Kind.NAIVE_DATETIME),
        ("sqlite", "DECIMAL_INT(10, 2)", Kind.DECIMAL),
    ],
)
def test_a_type_is_mapped_by_its_name(dialect: str, text: str, kind: Kind) -> None:
    found = field_type(dialect, ColumnType(text))
    assert found is not None

    assert found.kind is kind


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgresql", "money"),
        ("postgresql", "bit(3)"),
        ("postgresql", "time with time zone"),
        ("postgresql", "interval day to second(3)"),
        ("postgresql", "numeric(2,-3)"),
        ("postgresql", "numeric(2,5)"),
        ("postgresql", "jsonb[]"),
        ("postgresql", "money[]"),
        ("postgresql", ""),
        ("sqlite", ""),
        ("sqlite", "GEOMETRY"),
        ("sqlite", "DECIMAL(2, 5)"),
    ],
)
def test_what_no_field_holds_has_none(dialect: str, text: str) -> None:
    assert field_type(dialect, ColumnType(text)) is None
