"""Filters, orders and cursors: what a query asks for, and its text in SQL."""

from __future__ import annotations

from ._compile import Compiler
from ._condition import Column, Columns, Condition, columns
from ._cursor import Cursor
from ._evaluate import evaluate, matcher
from ._filter import (
    ALL,
    NOTHING,
    And,
    AnyElement,
    Compare,
    CompareFields,
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
    conjunction,
    disjunction,
    negation,
)
from ._json_at import json_at
from ._order import Term, parse_order
from ._parse import OPERATORS, parse
from ._reference import Reference, reference, references

__all__ = [
    "ALL",
    "NOTHING",
    "OPERATORS",
    "And",
    "AnyElement",
    "Column",
    "Columns",
    "Compare",
    "CompareFields",
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
    "Term",
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
]
