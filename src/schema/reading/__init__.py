"""Reading: what a database says of its tables becomes a shape."""

from __future__ import annotations

from ._read import OWN_TABLES, read_schema
from ._types import ColumnType, field_type

__all__ = ["OWN_TABLES", "ColumnType", "field_type", "read_schema"]
