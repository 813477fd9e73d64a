"""SQL: models and filters become statements; pure, no I/O."""

from __future__ import annotations

from ._arithmetic import Arithmetic, Operator, operand_type, operators
from ._array_statements import ArrayStatements
from ._codec import Codec, codec
from ._column import column_type, is_scaled
from ._dialect import POSTGRESQL, SQLITE, Dialect
from ._raw import raw_statement
from ._row import RowCodec
from ._statement import Result, Statement
from ._table import Table, table_of
from .filters import (
    ALL,
    NOTHING,
    OPERATORS,
    And,
    Compare,
    Comparison,
    Cursor,
    Filter,
    Match,
    Matching,
    Not,
    OneOf,
    Or,
    Term,
    conjunction,
    disjunction,
    negation,
    parse,
    parse_order,
)
from .packing import (
    FEED_STRIDE,
    Check,
    Checked,
    Copying,
    Load,
    Loaded,
    Packed,
    Packer,
    Packing,
    Running,
    Standing,
    packer_of,
)

__all__ = [
    "ALL",
    "FEED_STRIDE",
    "NOTHING",
    "OPERATORS",
    "POSTGRESQL",
    "SQLITE",
    "And",
    "Arithmetic",
    "ArrayStatements",
    "Check",
    "Checked",
    "Codec",
    "Compare",
    "Comparison",
    "Copying",
    "Cursor",
    "Dialect",
    "Filter",
    "Load",
    "Loaded",
    "Match",
    "Matching",
    "Not",
    "OneOf",
    "Operator",
    "Or",
    "Packed",
    "Packer",
    "Packing",
    "Result",
    "RowCodec",
    "Running",
    "Standing",
    "Statement",
    "Table",
    "Term",
    "codec",
    "column_type",
    "conjunction",
    "disjunction",
    "is_scaled",
    "negation",
    "operand_type",
    "operators",
    "packer_of",
    "parse",
    "parse_order",
    "raw_statement",
    "table_of",
]
