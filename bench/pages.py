"""Pages by cursor: one far behind against the first, in several orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from contest import Effort, compete
from figure import Figure, Limit
from job import Job
from people import new_people
from places import held_everywhere
from raw import Opened
from server import Server

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("pages",)

_DEPTH: Final = 100_000
"""Rows before the page."""
_STORED: Final = 110_000
_LIMIT: Final = 20
"""Rows of a page."""

_ORDERS: Final = ("id", "-id", "email", "-email")
_ROUNDS: Final = 2.0
"""Share of the usual rounds."""
_SIZE: Final = 0.5
"""Share of the usual calls."""


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    measure = partial(_measure, effort=effort)
    return held_everywhere(server, name, "pages", measure)


async def _measure(opened: Opened, *, effort: Effort) -> list[Figure]:
    figures: list[Figure] = []
    async with opened as (raw, db):
        people = db["Person"]
        await raw.fill(new_people(_STORED))
        for order in _ORDERS:
            before = await people.list(order_by=order, limit=1, offset=_DEPTH - 1)
            cursor = before["next_cursor"]
            page = partial(people.list, order_by=order, limit=_LIMIT)
            contest: dict[str, Callable[[], Awaitable[object]]] = {
                "first": page,
                "deep": partial(page, cursor=cursor),
            }
            seconds = await compete(contest, effort.scaled(rounds=_ROUNDS, size=_SIZE))
            figures.append(
                Figure(
                    operation=f"page behind {_DEPTH} by {order}",
                    place=raw.place,
                    ours=seconds["deep"],
                    raw=seconds["first"],
                    against="the first page",
                    limit=Limit.at_most(1.5),
                )
            )
    return figures
