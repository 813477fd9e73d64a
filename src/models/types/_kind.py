"""The kinds of values a field can hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

__all__ = ["COMPOUND", "SCALARS", "Kind"]


class Kind(StrEnum):
    """What a field holds; each kind is stored in one way per database."""

    INT = "int"
    FLOAT = "float"
    DECIMAL = "Decimal"
    BOOL = "bool"
    STR = "str"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    NAIVE_DATETIME = "naive datetime"
    TIMEDELTA = "timedelta"
    UUID = "UUID"
    ENUM = "Enum"
    LITERAL = "Literal"
    LIST = "list"
    JSON = "JSON"
    STRUCT = "Struct"


COMPOUND: Final = frozenset({Kind.LIST, Kind.JSON, Kind.STRUCT})
"""Kinds whose values hold other values: mutable, and neither keys nor indexed."""

SCALARS: Final[Mapping[Kind, type[Any]]] = {
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.DECIMAL: Decimal,
    Kind.BOOL: bool,
    Kind.STR: str,
    Kind.BYTES: bytes,
    Kind.DATE: date,
    Kind.TIME: time,
    Kind.DATETIME: datetime,
    Kind.TIMEDELTA: timedelta,
    Kind.UUID: UUID,
}
"""Kinds that a plain annotation says, and which: values of one class, whole."""
