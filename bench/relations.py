"""Related rows: a list with the rows that its own refer to, against the list alone.

Both tables are as wide. Four rows share what they refer to; where each refers to another
one, there is nothing to save, and as many rows are read twice.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from contest import Effort, compete
from figure import Figure, Limit
from job import Job
from people import new_people
from places import held_everywhere
from raw import Opened
from server import Server

from dataflow import DataFlow, field

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("include",)

_ROWS: Final = 1_000


class _Contest(msgspec.Struct, frozen=True):
    operation: str
    n_guests: int
    limit: Limit | None


_CONTESTS: Final = (
    _Contest("list 1000 with a relation", 250, Limit.at_most(2.2)),
    _Contest("list 1000 with a relation, 1 to 1", 1_000, None),
)


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
        await _fill(db, contest.n_guests)
        visits = db["Visit"]
        page = await visits.list(limit=_ROWS, include=["guest"])
        if any(each["guest"]["id"] != each["guest_id"] for each in page["records"]):
            msg = "each visit should come with its guest"
            raise RuntimeError(msg)
        seconds = await compete(
            {
                "alone": lambda: visits.list(limit=_ROWS),
                "with": lambda: visits.list(limit=_ROWS, include=["guest"]),
            },
            effort.scaled(rounds=0.6, size=0.1),
        )
    return [
        Figure(
            operation=contest.operation,
            place=raw.place,
            ours=seconds["with"],
            raw=seconds["alone"],
            against="the list alone",
            limit=contest.limit,
        )
    ]


async def _fill(db: DataFlow, n_guests: int) -> None:
    """Store visits of so many guests, as many of each, the last guest's first."""

    class Guest:
        name: str
        email: str
        age: int
        price: float
        active: bool
        created_at: datetime
        meta: dict[str, Any]

    class Visit(Guest):
        guest_id: int = field(references="Guest", on_delete="cascade")

    for model in (Guest, Visit):
        db.model(model)
    # A server of somebody else may have those of another run.
    await db["Guest"].bulk_delete(filter={}, confirmed=True)
    people = new_people(_ROWS)
    stored = await db["Guest"].bulk_create(people[:n_guests], return_ids=True)
    guests = stored["ids"][::-1]
    await db["Visit"].bulk_create(
        [
            {**person, "guest_id": guests[place % n_guests]}
            for place, person in enumerate(people)
        ]
    )
