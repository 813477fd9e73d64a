"""Raw SQL, and whatever else a database does by itself: judged by the same rules."""

from __future__ import annotations

from ._judge import judge_beside, judge_raw, judge_reached
from ._node_wall import wall_of
from ._statement import Access, Reading, read_statement

__all__ = [
    "Access",
    "Reading",
    "judge_beside",
    "judge_raw",
    "judge_reached",
    "read_statement",
    "wall_of",
]
