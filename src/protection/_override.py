"""Leave to pass by named rules, for a while and for so many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from ..sql import Budget

__all__ = ["Override"]


@final
class Override:
    """Leave to pass by some rules of one protection, for whoever acts under it.

    Args:
        owner: Whose rules they are.
        rules: Their ids.
        reason: Why.
        ticket: Where that is written down.
        ends_at: Until when, on *clock*, in seconds.
        clock: Tells the time, in seconds; it never goes back.
        max_rows: Rows that may be written by it altogether; None for any.

    Attributes:
        is_over: Whether its block was left.
        budget: Rows written by it so far.
    """

    def __init__(
        self,
        owner: object,
        rules: frozenset[str],
        *,
        reason: str,
        ticket: str,
        ends_at: float,
        clock: Callable[[], float],
        max_rows: int | None,
    ) -> None:
        self.owner = owner
        self.rules = rules
        self.reason = reason
        self.ticket = ticket
        self.max_rows = max_rows
        self.is_over = False
        self.budget = Budget()
        self._ends_at = ends_at
        self._clock = clock

    def holds(self) -> bool:
        """Whether there is leave now."""
        return not self.is_over and self._clock() < self._ends_at
