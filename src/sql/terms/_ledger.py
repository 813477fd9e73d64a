"""Rows that one message has written, held against the caps of its terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ._terms import Cap

__all__ = ["Ledger"]


@final
class Ledger:
    """Counts what a message writes, and what it gives back if that is undone.

    Args:
        caps: How much it may write.
    """

    __slots__ = ("_caps", "_count")

    def __init__(self, caps: Sequence[Cap]) -> None:
        self._caps = caps
        self._count = 0

    def add(self, count: int) -> None:
        """Count rows that were written, and check that it were not too many.

        Raises:
            Exception: What a cap says.
        """
        self._count += count
        for cap in self._caps:
            if cap.budget is not None:
                cap.budget.used += count
        for cap in self._caps:
            total = self._count if cap.budget is None else cap.budget.used
            if total > cap.limit and (error := cap.hit(total)) is not None:
                raise error

    def release(self) -> None:
        """Give back what counted, now that all of it was undone."""
        for cap in self._caps:
            if cap.budget is not None:
                cap.budget.used -= self._count
        self._count = 0
