"""Rows that are packed while the database reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self, final

from .....sql import Packed
from ._batch import Batch

__all__ = ["FedRows", "noted"]


def noted(feed: Iterator[Packed], packed: list[Packed]) -> Iterator[Packed]:
    """Return *feed*, which leaves what it gives in *packed*."""
    for each in feed:
        packed.append(each)
        yield each


@final
class FedRows:
    """Packed rows of the same columns, as the feed of a batch gives them.

    Attributes:
        following: The first of other columns behind them.
    """

    def __init__(self, first: Packed, batch: Batch) -> None:
        self.following: Packed | None = None
        self._taken = [first]
        self._first = first
        self._batch = batch

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Packed:
        packed = next(self._batch.feed)
        if not packed.is_like(self._first):
            self.following = packed
            raise StopIteration
        self._taken.append(packed)
        return packed

    def __len__(self) -> int:
        return sum(map(len, self._taken))

    @property
    def places(self) -> list[int]:
        """Of the rows, in what was packed."""
        return [place for packed in self._taken for place in packed.places]

    @property
    def keys(self) -> list[tuple[int]]:
        """The generated keys of the rows, where they were reserved."""
        return [(key,) for packed in self._taken for key in packed.keys]
