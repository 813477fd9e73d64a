"""What one operation of a migration takes: a row of the catalogue of risks."""

from __future__ import annotations

from typing import Final

import msgspec

from .._risk import Risk
from ..planning._facts import TableFacts

__all__ = ["COPY_S", "INDEX_S", "REWRITE_S", "SCAN_S", "Operation"]

# Seconds for each row. Measured on two cores with PostgreSQL 18, 200 000 rows.
SCAN_S: Final = 7e-8
INDEX_S: Final = 4e-7
REWRITE_S: Final = 2e-6
COPY_S: Final = 2e-6


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the catalogue.

    Attributes:
        title: What is done.
        risk: With a table of any size, or with a small one if *is_growing*.
        is_growing: Whether the risk is one level higher for a large table.
        lock: Taken on the table; None for none.
        is_rewrite: Whether each row is written anew.
        per_row_s: Time for each row, in seconds.
        reason: Why it is of that risk.
        alternative: What is safer, or empty.
    """

    title: str
    risk: Risk
    reason: str
    lock: str | None = None
    is_growing: bool = False
    is_rewrite: bool = False
    per_row_s: float = 0.0
    alternative: str = ""

    def risk_for(self, facts: TableFacts) -> Risk:
        """Return the risk for a table of this size."""
        return self.risk.raised() if self.is_growing and facts.is_large else self.risk
