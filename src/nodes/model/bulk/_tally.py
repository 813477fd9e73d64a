"""What became of the rows of a bulk operation."""

from __future__ import annotations

from typing import Any, Self

import msgspec

__all__ = ["Tally"]


class Tally(msgspec.Struct, eq=False):
    """Counts of rows, and the keys of those stored.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that were there, and changed.
        skipped: Rows that were there, and left alone.
        ids: Keys of the rows inserted or updated, in the order of the data.
    """

    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    ids: list[Any] = []

    def __iadd__(self, other: Tally) -> Self:
        """Count what another one counted too."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.skipped += other.skipped
        self.ids += other.ids
        return self
