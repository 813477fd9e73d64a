"""The kinds of values a field can hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["COMPOUND", "Kind"]


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
