"""Raw SQL: what a statement does, and what the rules say of that."""

from __future__ import annotations

from ._judge import judge_raw, judge_reached
from ._statement import Access, Reading, read_statement

__all__ = ["Access", "Reading", "judge_raw", "judge_reached", "read_statement"]
