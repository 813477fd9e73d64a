"""Filters, orders and cursors: what a query asks for, and its text in SQL."""

from __future__ import annotations

from ._columns import Column, Columns, attach_columns, columns
from ._compile import Compiler
from ._condition import Condition
from ._cursor import Cursor, after
from ._evaluate import evaluate, matcher
from ._filter import (
    ALL,
    NOTHING,
    And,
    AnyElement,
    Compare,
    CompareFields,
    CompareRow,
    Comparison,
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
    Related,
    conjunction,
    disjunction,
    negation,
    related,
)
from ._json_at import json_at
from ._order import Term, parse_order
from ._parse import OPERATORS, QUANTIFIERS, parse
from ._reference import Reference, aliased, reference, references

__all__ = [
    "ALL",
    "NOTHING",
    "OPERATORS",
    "QUANTIFIERS",
    "And",
    "AnyElement",
    "Column",
    "Columns",
    "Compare",
    "CompareFields",
    "CompareRow",
    "Comparison",
    "Compiler",
    "Condition",
    "Cursor",
    "Derived",
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
    "Reference",
    "Related",
    "Term",
    "after",
    "aliased",
    "attach_columns",
    "columns",
    "conjunction",
    "disjunction",
    "evaluate",
    "json_at",
    "matcher",
    "negation",
    "parse",
    "parse_order",
    "reference",
    "references",
    "related",
]
