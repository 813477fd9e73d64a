"""Rows that are stored together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

from .....sql import Packed
from .._rows import Failure
from .._tally import Tally

__all__ = ["Batch"]


@final
class Batch:
    """Rows that are stored together, and what became of them.

    Attributes:
        start: Place of the first in the data.
        rows: What the sender gave.
        packed: Those that can be stored, ready for the database.
        is_packed: Whether they are.
        is_distinct: Whether none of its keys comes twice; None until it was looked.
        is_fed: Whether it is packed while the database reads it; None until it was
            decided.
        feed: Packs the rest of them, into `packed`.
        failures: The others.
        tally: Counts, once it is stored.
    """

    def __init__(self, start: int, rows: Sequence[Any]) -> None:
        self.start = start
        self.rows = rows
        self.packed: list[Packed] = []
        self.is_packed = False
        self.is_distinct: bool | None = None
        self.is_fed: bool | None = None
        self.feed: Iterator[Packed] = iter(())
        self.failures: list[Failure] = []
        self.tally = Tally()

    @property
    def end(self) -> int:
        """Place in the data behind the last row."""
        return self.start + len(self.rows)
