"""Schema: the tables of the models in the database, and the shape of what is there."""

from __future__ import annotations

from ._declared import shape_of, table_shape
from ._shape import (
    Check,
    Column,
    EnumType,
    ForeignKey,
    IndexPart,
    Key,
    Schema,
    TableIndex,
    TableShape,
    Unique,
    View,
)
from ._table import ensure_table, table_statements, tables_statements
from .adopting import (
    Adopted,
    Related,
    adopt,
    described,
    model_name,
    model_source,
    relate,
)
from .reading import read_schema
from .registry import Drift, Entry, checksum, define, drift, entries, rebuild, register

__all__ = [
    "Adopted",
    "Check",
    "Column",
    "Drift",
    "Entry",
    "EnumType",
    "ForeignKey",
    "IndexPart",
    "Key",
    "Related",
    "Schema",
    "TableIndex",
    "TableShape",
    "Unique",
    "View",
    "adopt",
    "checksum",
    "define",
    "described",
    "drift",
    "ensure_table",
    "entries",
    "model_name",
    "model_source",
    "read_schema",
    "rebuild",
    "register",
    "relate",
    "shape_of",
    "table_shape",
    "table_statements",
    "tables_statements",
]
