from __future__ import annotations

import sqlite3
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from dataflow.models import Digits
from dataflow.models.declaring._annotation import read_annotation
from dataflow.sql._column import column_type, is_scaled
from dataflow.sql._dialect import POSTGRESQL, SQLITE


class Color(Enum):
    RED = "red"


class Address(msgspec.Struct):
    street: str


MONEY = Annotated[Decimal, Digits(18, 2)]
WIDE = Annotated[Decimal, Digits(19, 2)]

COLUMNS: list[tuple[object, str, str, str]] = [
    (int, "bigint", "INTEGER", "integer"),
    (float, "double precision", "REAL", "real"),
    (Decimal, "numeric", "DECIMAL_TEXT", "text"),
    (MONEY, "numeric(18, 2)", "DECIMAL_INT(18, 2)", "integer"),
    (WIDE, "numeric(19, 2)", "DECIMAL_TEXT", "text"),
    (bool, "boolean", "BOOLEAN", "integer"),
    (str, "text", "TEXT", "text"),
    (bytes, "bytea", "BLOB", "text"),
    (date, "date", "DATE_TEXT", "text"),
    (time, "time", "TIME_TEXT", "text"),
    (datetime, "timestamptz", "DATETIME_TEXT", "text"),
    (timedelta, "interval", "INTERVAL", "integer"),
    (UUID, "uuid", "UUID_TEXT", "text"),
    (Color, "text", "TEXT", "text"),
    (Literal[1, 2], "bigint", "INTEGER", "integer"),
    (Literal[True], "boolean", "BOOLEAN", "integer"),
    (dict[str, Any], "jsonb", "JSON_TEXT", "text"),
    (list[Any], "jsonb", "JSON_TEXT", "text"),
    (Address, "jsonb", "JSON_TEXT", "text"),
    (list[int], "bigint[]", "JSON_TEXT", "text"),
    (list[MONEY], "numeric(18, 2)[]", "JSON_TEXT", "text"),
    (list[Color], "text[]", "JSON_TEXT", "text"),
]


@pytest.mark.parametrize(
    ("annotation", "postgresql", "sqlite", "affinity"), COLUMNS, ids=str
)
def test_a_column_is_declared_so_that_its_affinity_corrupts_nothing(
    annotation: object, postgresql: str, sqlite: str, affinity: str
) -> None:
    type_ = read_annotation(annotation)[0]
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (c {sqlite})")
    query = "INSERT INTO t VALUES ('1') RETURNING typeof(c)"
    became = connection.execute(query).fetchone()[0]
    connection.close()

    assert column_type(type_, POSTGRESQL) == postgresql
    assert column_type(type_, SQLITE) == sqlite
    assert became == affinity


def test_decimals_of_up_to_18_digits_are_scaled() -> None:
    assert is_scaled(read_annotation(MONEY)[0])
    assert not is_scaled(read_annotation(WIDE)[0])
    assert not is_scaled(read_annotation(Decimal)[0])
    assert not is_scaled(read_annotation(int)[0])
