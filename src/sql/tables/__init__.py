"""The table of a model in one dialect: every statement about it."""

from __future__ import annotations

from ._arithmetic import Arithmetic, Operator, operand_type, operators
from ._array_statements import ArrayStatements
from ._clauses import Clauses
from ._related_rows import RelatedRows, related_rows
from ._row import RowCodec
from ._table import Table

__all__ = [
    "Arithmetic",
    "ArrayStatements",
    "Clauses",
    "Operator",
    "RelatedRows",
    "RowCodec",
    "Table",
    "operand_type",
    "operators",
    "related_rows",
]
