"""Lists: a few rows, a page, and a whole table, as dictionaries with parsed values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle
from typing import Any, Final

import msgspec
from contest import Effort, compete
from figure import Figure, Limit
from job import Job
from people import new_people
from places import held_everywhere
from raw import Opened, Raw
from server import Server

from dataflow import DataFlow

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("list",)


class _Contest(msgspec.Struct, frozen=True):
    operation: str
    n_rows: int
    rounds: float
    """Share of the usual rounds."""
    size: float
    """Share of the usual calls."""
    limit: Limit
    is_filtered: bool = False
    """Whether rows behind a key are asked for, or the first ones."""


_CONTESTS: Final = (
    _Contest("list 10", 10, 4, 0.25, Limit.at_most(1, plus=60e-6)),
    _Contest(
        "list 10, by an indexed filter",
        10,
        4,
        0.25,
        Limit.at_most(1, plus=60e-6),
        is_filtered=True,
    ),
    _Contest("list 1000", 1_000, 0.6, 0.1, Limit.at_most(1.15)),
    _Contest("list 90000", 90_000, 0.36, 0, Limit.at_most(1.1)),
)
_STORED: Final = 100_000


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    found: list[Job] = []
    for contest in _CONTESTS:
        measure = partial(_measure, contest=contest, effort=effort)
        found += held_everywhere(server, name, contest.operation, measure)
    return found


async def _measure(
    opened: Opened, *, contest: _Contest, effort: Effort
) -> list[Figure]:
    async with opened as (raw, db):
        await raw.fill(new_people(_STORED))
        sides = _sides(raw, db, contest)
        if await sides["raw"]() != (await sides["ours"]())["records"]:
            msg = "both sides should read the same"
            raise RuntimeError(msg)
        seconds = await compete(
            sides, effort.scaled(rounds=contest.rounds, size=contest.size)
        )
    return [
        Figure(
            operation=contest.operation,
            place=raw.place,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against=raw.against["list_first"],
            limit=contest.limit,
        )
    ]


def _sides(
    raw: Raw, db: DataFlow, contest: _Contest
) -> dict[str, Callable[[], Awaitable[Any]]]:
    people, n_rows = db["Person"], contest.n_rows
    if not contest.is_filtered:
        return {
            "raw": lambda: raw.list_first(n_rows),
            "ours": lambda: people.list(limit=n_rows),
        }
    keys = cycle(range(_STORED // 2))

    def ours() -> Awaitable[Any]:
        return people.list(filter={"id": {"$gt": next(keys) // 2}}, limit=n_rows)

    return {"raw": lambda: raw.list_behind(next(keys) // 2, n_rows), "ours": ours}
