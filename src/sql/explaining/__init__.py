"""Explaining: how the database goes about a query, and what would help it."""

from __future__ import annotations

from ._advice import advice
from ._explain import explain, explained
from ._explanation import Explanation

__all__ = ["Explanation", "advice", "explain", "explained"]
