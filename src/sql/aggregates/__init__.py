"""Aggregates: rows become groups, and groups become statements."""

from __future__ import annotations

from ._aggregate import FUNCTIONS, MAX_AGGREGATES, Aggregate, Function, parse_aggregates
from ._decimals import MEAN_DIGITS, DecimalSum, decimal_mean, decimal_of
from ._groups import Groups
from ._select import count_groups, select_groups

__all__ = [
    "FUNCTIONS",
    "MAX_AGGREGATES",
    "MEAN_DIGITS",
    "Aggregate",
    "DecimalSum",
    "Function",
    "Groups",
    "count_groups",
    "decimal_mean",
    "decimal_of",
    "parse_aggregates",
    "select_groups",
]
