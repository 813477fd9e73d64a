"""Judging: what the rules in force say of one message."""

from __future__ import annotations

from ._cascades import Reach
from ._case import Applied, Case
from ._decision import (
    DEFAULT,
    Asker,
    Decision,
    approval_required,
    blocked,
    over_limit,
)
from ._snapshot import Snapshot
from ._term_maker import Held

__all__ = [
    "DEFAULT",
    "Applied",
    "Asker",
    "Case",
    "Decision",
    "Held",
    "Reach",
    "Snapshot",
    "approval_required",
    "blocked",
    "over_limit",
]
