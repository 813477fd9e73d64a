"""The headline figures that the runtime is expected to reach, and by how far it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Final

from figure import Figure, Limit, Unit

__all__ = ["PREFIX", "compare"]

PREFIX: Final = "claim: "
"""What the operations of these figures begin with."""

CLAIMS: Final[Mapping[str, float]] = {
    "create": 1e-3,
    "read": 1e-3,
    "update": 1e-3,
    "delete": 1e-3,
    "list 10": 10e-3,
    "bulk create": 10e3,
    "bulk update by rows": 50e3,
    "bulk update by filter": 50e3,
    "bulk delete by ids": 100e3,
    "bulk delete by filter": 100e3,
    "bulk upsert, half new": 30e3,
}
"""Seconds at most, or rows per second at least, by operation."""


def compare(figures: Iterable[Figure]) -> Iterator[Figure]:
    """Yield a figure against the claim for each that there is a claim about."""
    seen: set[tuple[str, str]] = set()
    for figure in figures:
        claim = CLAIMS.get(figure.operation)
        what = figure.operation, figure.place
        if claim is None or figure.error or what in seen:
            continue
        seen.add(what)
        yield _against(figure, claim)


def _against(figure: Figure, claim: float) -> Figure:
    is_rate = figure.unit is Unit.RATE
    middle = median(figure.ours)
    factor = middle / claim if is_rate else claim / middle
    return Figure(
        operation=f"{PREFIX}{figure.operation}",
        place=figure.place,
        ours=figure.ours,
        raw=[claim] * len(figure.ours),
        against="what is claimed",
        unit=figure.unit,
        limit=Limit.at_least(plus=claim) if is_rate else Limit.at_most(plus=claim),
        note=f"exceeded {factor:.1f} times" if factor >= 1 else "",
    )
