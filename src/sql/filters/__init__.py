"""Filters, orders and cursors: what a query asks for, and its text in SQL."""

from __future__ import annotations

from ._compile import Compiler
from ._cursor import Cursor
from ._filter import (
    ALL,
    NOTHING,
    And,
    Compare,
    Comparison,
    Filter,
    Match,
    Matching,
    Not,
    OneOf,
    Or,
    conjunction,
    disjunction,
    negation,
)
from ._operators import OPERATORS
from ._order import Term, parse_order
from ._parse import parse
from ._reference import references

__all__ = [
    "ALL",
    "NOTHING",
    "OPERATORS",
    "And",
    "Compare",
    "Comparison",
    "Compiler",
    "Cursor",
    "Filter",
    "Match",
    "Matching",
    "Not",
    "OneOf",
    "Or",
    "Term",
    "conjunction",
    "disjunction",
    "negation",
    "parse",
    "parse_order",
    "references",
]
