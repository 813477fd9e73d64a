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
from ._table import ensure_table, table_statements
from .adopting import Adopted, adopt, described, model_name, model_source
from .reading import read_schema

__all__ = [
    "Adopted",
    "Check",
    "Column",
    "EnumType",
    "ForeignKey",
    "IndexPart",
    "Key",
    "Schema",
    "TableIndex",
    "TableShape",
    "Unique",
    "View",
    "adopt",
    "described",
    "ensure_table",
    "model_name",
    "model_source",
    "read_schema",
    "shape_of",
    "table_shape",
    "table_statements",
]
