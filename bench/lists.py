"""Lists: a few rows, a page, and a whole table, as dictionaries with parsed values."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from contest import Effort, compete
from figure import Figure, Limit
from job import Job
from people import new_people
from places import held_everywhere
from raw import Opened
from server import Server

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("list",)


class _Contest(msgspec.Struct, frozen=True):
    n_rows: int
    rounds: float
    """Share of the usual rounds."""
    size: float
    """Share of the usual calls."""
    limit: Limit


_CONTESTS: Final = (
    _Contest(10, 4, 0.25, Limit.at_most(1, plus=60e-6)),
    _Contest(1_000, 0.6, 0.1, Limit.at_most(1.15)),
    _Contest(90_000, 0.36, 0, Limit.at_most(1.1)),
)
_STORED: Final = 100_000


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    found: list[Job] = []
    for contest in _CONTESTS:
        measure = partial(_measure, contest=contest, effort=effort)
        found += held_everywhere(server, name, f"list {contest.n_rows}", measure)
    return found


async def _measure(
    opened: Opened, *, contest: _Contest, effort: Effort
) -> list[Figure]:
    n_rows = contest.n_rows
    async with opened as (raw, db):
        people = db["Person"]
        await raw.fill(new_people(_STORED))
        if await raw.list_first(1) != (await people.list(limit=1))["records"]:
            msg = "both sides should read the same"
            raise RuntimeError(msg)
        seconds = await compete(
            {
                "raw": lambda: raw.list_first(n_rows),
                "ours": lambda: people.list(limit=n_rows),
            },
            effort.scaled(rounds=contest.rounds, size=contest.size),
        )
    return [
        Figure(
            operation=f"list {n_rows}",
            place=raw.place,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against=raw.against["list_first"],
            limit=contest.limit,
        )
    ]
