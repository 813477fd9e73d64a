"""A figure: what was measured of one operation, and the limit it has to keep."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from statistics import median
from typing import Any, Final, Self

import msgspec

__all__ = ["Figure", "Limit", "Spread", "Unit"]


class Unit(StrEnum):
    """What the numbers of a figure count."""

    SECONDS = "s"
    RATE = "per second"
    BYTES = "bytes"
    MODULES = "modules"


class Limit(msgspec.Struct, frozen=True):
    """A bound of *factor* times the raw side and *plus*; one of both may be 0.

    Attributes:
        factor: How often the raw side counts.
        plus: What is added to it, in the unit of the figure.
        is_least: Whether ours must not be below; else it must not be above.
    """

    factor: float = 0.0
    plus: float = 0.0
    is_least: bool = False

    @classmethod
    def at_most(cls, factor: float = 0.0, *, plus: float = 0.0) -> Self:
        """Return the bound of what should be small: a duration, a size."""
        return cls(factor, plus)

    @classmethod
    def at_least(cls, factor: float = 0.0, *, plus: float = 0.0) -> Self:
        """Return the bound of what should be great: a rate."""
        return cls(factor, plus, is_least=True)

    def is_kept(self, ours: Sequence[float], raw: Sequence[float] | None) -> bool:
        """Whether the median round keeps it; each round is compared within itself."""
        others = [0.0] * len(ours) if raw is None else raw
        over = median(
            one - self.factor * other - self.plus
            for one, other in zip(ours, others, strict=True)
        )
        return over >= 0 if self.is_least else over <= 0


class Spread(msgspec.Struct, frozen=True):
    """What several rounds gave.

    Attributes:
        median: The middle one.
        least: The least one.
        most: The greatest one.
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


_KEPT: Final = {True: "ok", False: "missed"}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report.

    Attributes:
        operation: What was done.
        place: On which database, and on which event loop.
        ours: What each round gave; empty if the measurement failed.
        raw: What the same rounds gave for the client alone, or None.
        against: What the raw side did; empty when there is none.
        unit: Of the rounds.
        limit: What has to be kept, or None.
        note: What else there is to say.
        error: Why there is nothing to show, or empty.
    """

    operation: str
    place: str
    ours: Sequence[float] = ()
    raw: Sequence[float] | None = None
    against: str = ""
    unit: Unit = Unit.SECONDS
    limit: Limit | None = None
    note: str = ""
    error: str = ""

    @property
    def verdict(self) -> str:
        """``ok``, ``missed``, ``failed``, or nothing where there is no limit."""
        if self.error:
            return "failed"
        return (
            "" if self.limit is None else _KEPT[self.limit.is_kept(self.ours, self.raw)]
        )

    @property
    def ratio(self) -> Spread | None:
        """Ours over raw, round by round."""
        if self.error or self.raw is None:
            return None
        pairs = zip(self.ours, self.raw, strict=True)
        return Spread.of([one / other for one, other in pairs])

    @property
    def difference(self) -> Spread | None:
        """Ours minus raw, round by round; None for rates, where it means nothing."""
        if self.error or self.raw is None or self.unit is Unit.RATE:
            return None
        pairs = zip(self.ours, self.raw, strict=True)
        return Spread.of([one - other for one, other in pairs])

    def per_second(self, count: int) -> Self:
        """Turn the seconds of *count* rows, or calls, into a rate."""
        raw = None if self.raw is None else [count / each for each in self.raw]
        ours = [count / each for each in self.ours]
        return msgspec.structs.replace(self, unit=Unit.RATE, ours=ours, raw=raw)

    def as_builtins(self) -> dict[str, Any]:
        """Return what a program may want to know, the derived numbers included."""
        derived: dict[str, Any] = {
            "verdict": self.verdict,
            "ratio": msgspec.to_builtins(self.ratio),
            "difference": msgspec.to_builtins(self.difference),
        }
        for name, rounds in (("ours", self.ours), ("raw", self.raw)):
            if rounds:
                derived[f"{name}_spread"] = msgspec.to_builtins(Spread.of(rounds))
        return {**msgspec.to_builtins(self), **derived}
