"""A figure: what was measured of one operation, and what it may be at most."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from statistics import median
from typing import Self

import msgspec

__all__ = ["Figure", "Limit", "Spread", "Unit", "Versus"]


class Unit(StrEnum):
    """What the numbers of a figure count."""

    SECONDS = "s"
    BYTES = "bytes"
    MODULES = "modules"


class Versus(StrEnum):
    """What a limit is about."""

    RATIO = "ratio"
    """Ours over raw."""
    DIFFERENCE = "difference"
    """Ours minus raw, in the unit of the figure."""
    VALUE = "ours"
    """Ours alone."""


class Limit(msgspec.Struct, frozen=True):
    """The most that a figure may be.

    Attributes:
        versus: What is limited.
        at_most: By how much.
    """

    versus: Versus
    at_most: float


class Spread(msgspec.Struct, frozen=True):
    """What several rounds gave.

    Attributes:
        median: The middle one.
        least: The best one.
        most: The worst one.
        n: How many.
    """

    median: float
    least: float
    most: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of at least one value."""
        return cls(median(values), min(values), max(values), len(values))


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report.

    Attributes:
        operation: What was done.
        place: On which database, and on which event loop.
        against: What the raw side did; empty when there is none.
        unit: Of the spreads.
        ours: What it took us.
        raw: What it took the client alone, or None.
        ratio: Ours over raw, round by round, or None.
        difference: Ours minus raw, round by round, or None.
        limit: What it may be at most, or None.
        note: What else there is to say.
    """

    operation: str
    place: str
    ours: Spread
    against: str = ""
    unit: Unit = Unit.SECONDS
    raw: Spread | None = None
    ratio: Spread | None = None
    difference: Spread | None = None
    limit: Limit | None = None
    note: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the median is over the limit."""
        if self.limit is None:
            return False
        limited = {
            Versus.RATIO: self.ratio,
            Versus.DIFFERENCE: self.difference,
            Versus.VALUE: self.ours,
        }[self.limit.versus]
        return limited is not None and limited.median > self.limit.at_most

    @classmethod
    def alone(
        cls,
        operation: str,
        place: str,
        ours: Sequence[float],
        *,
        unit: Unit = Unit.SECONDS,
        limit: Limit | None = None,
        note: str = "",
    ) -> Self:
        """Return the figure of something that has no raw side."""
        return cls(
            operation=operation,
            place=place,
            ours=Spread.of(ours),
            unit=unit,
            limit=limit,
            note=note,
        )

    @classmethod
    def against_raw(
        cls,
        operation: str,
        place: str,
        *,
        ours: Sequence[float],
        raw: Sequence[float],
        against: str,
        limit: Limit | None = None,
    ) -> Self:
        """Return the figure of a contest: *ours* and *raw* are of the same rounds."""
        pairs = list(zip(ours, raw, strict=True))
        return cls(
            operation=operation,
            place=place,
            against=against,
            ours=Spread.of(ours),
            raw=Spread.of(raw),
            ratio=Spread.of([one / other for one, other in pairs]),
            difference=Spread.of([one - other for one, other in pairs]),
            limit=limit,
        )
