"""Throughput over the number of callers: the points of the plot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Final

import msgspec
from callers import against, shared_creates, shared_reads
from contest import Effort, compete, together
from figure import Figure
from job import Job
from places import held_everywhere
from plot import Curve, Panel
from raw import Opened
from server import Server

__all__ = ["jobs", "panels"]

CALLERS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_CALLS: Final = 1_000
"""Operations in a turn, at least one of each caller, if the effort is full."""


def jobs(server: Server, effort: Effort) -> list[Job]:
    """Return what to measure: one figure for each number of callers."""
    found: list[Job] = []
    for operation in ("create", "read"):
        for callers in CALLERS:
            measure = partial(
                _measure, operation=operation, callers=callers, effort=effort
            )
            title = _title(operation, callers)
            found += held_everywhere(server, "plot", title, measure)
    return found


def _title(operation: str, callers: int) -> str:
    return f"{operation}, {callers} caller{'s' if callers > 1 else ''}"


async def _measure(
    opened: Opened, *, operation: str, callers: int, effort: Effort
) -> list[Figure]:
    calls = max(2, _CALLS * effort.size // 100 // callers)
    make = shared_creates if operation == "create" else shared_reads
    async with opened as (raw, db):
        sides, before = await make(raw, db, callers * calls)
        seconds = await compete(
            {
                side: together(sides[side], callers=callers, calls=calls)
                for side in sides
                if side != "workflows"
            },
            msgspec.structs.replace(effort.scaled(rounds=0.3), size=1),
            before=before,
        )
    return [
        Figure(
            operation=_title(operation, callers),
            place=raw.place,
            ours=seconds["direct calls"],
            raw=seconds[side],
            against=against(raw, operation, side),
        ).per_second(callers * calls)
        for side in seconds
        if side.startswith("raw")
    ]


def panels(figures: Sequence[Figure]) -> list[Panel]:
    """Return what to draw of the figures: one panel for operation and database."""
    found: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for figure in figures:
        if figure.error or figure.raw is None:
            continue
        operation, _, callers = figure.operation.partition(", ")
        database = figure.place.partition(",")[0]
        curves = found.setdefault((operation, database), {})
        at = float(callers.partition(" ")[0])
        for name, rounds in (("dataflow", figure.ours), (figure.against, figure.raw)):
            curves.setdefault(name, {})[at] = median(rounds)
    return [
        Panel(
            title=f"{operation}s per second, {database}",
            curves=[Curve(name, [*points.items()]) for name, points in curves.items()],
        )
        for (operation, database), curves in found.items()
    ]
