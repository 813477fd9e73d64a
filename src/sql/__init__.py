"""SQL: models and filters become statements; pure, no I/O."""

from __future__ import annotations

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
    AnyElement,
    Compare,
    CompareFields,
    Comparison,
    Cursor,
    Derived,
    Filter,
    Match,
    Matching,
    Members,
    Membership,
    Modulo,
    Not,
    OneOf,
    Or,
    Reading,
    Term,
    conjunction,
    disjunction,
    evaluate,
    json_at,
    matcher,
    negation,
    parse,
    parse_order,
)

__all__ = [
    "ALL",
    "NOTHING",
    "OPERATORS",
    "POSTGRESQL",
    "SQLITE",
    "And",
    "AnyElement",
    "ArrayStatements",
    "Codec",
    "Compare",
    "CompareFields",
    "Comparison",
    "Cursor",
    "Derived",
    "Dialect",
    "Filter",
    "Match",
    "Matching",
    "Members",
    "Membership",
    "Modulo",
    "Not",
    "OneOf",
    "Or",
    "Reading",
    "Result",
    "RowCodec",
    "Statement",
    "Table",
    "Term",
    "codec",
    "column_type",
    "conjunction",
    "disjunction",
    "evaluate",
    "is_scaled",
    "json_at",
    "matcher",
    "negation",
    "parse",
    "parse_order",
    "raw_statement",
    "table_of",
]
