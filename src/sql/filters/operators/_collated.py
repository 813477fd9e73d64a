"""Columns of PostgreSQL that others made and that hold text like any other."""

from __future__ import annotations

from typing import Final

__all__ = ["COLLATED"]

COLLATED: Final = frozenset({"bpchar", "character varying", "citext", "name", "text"})
"""Types, besides that of a plain ``str``, whose values have a collation."""
