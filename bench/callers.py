"""Many callers: tasks of one event loop that do one operation after the other."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Final

import msgspec
from contest import Effort, Operation, compete, together
from figure import Figure, Limit
from job import Job
from people import COLUMNS, Supply, new_people, one_node
from places import held_everywhere
from raw import Opened, Raw
from server import Server
from sqlite import RawSqlite

from dataflow import DataFlow

__all__ = ["NAMES", "against", "jobs", "shared_creates", "shared_reads"]

NAMES: Final = ("concurrent",)

_STORED: Final = 1_000
_ROUNDS: Final = 0.6
"""Share of the usual rounds: these are long."""


class _Contest(msgspec.Struct, frozen=True):
    operation: str
    callers: int
    calls: int
    """Of each caller in a turn, if the effort is full."""
    limits: tuple[float, float]
    """How often the raw rate at least, on PostgreSQL and on SQLite."""


_CONTESTS: Final = (
    _Contest("create", 500, 4, (10, 10)),
    _Contest("create", 20, 50, (3, 5)),
    _Contest("read", 20, 100, (5, 3)),
)


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    found: list[Job] = []
    for contest in _CONTESTS:
        measures = (
            partial(_measure, contest=contest, least=least, effort=effort)
            for least in contest.limits
        )
        title = f"{contest.operation}, {contest.callers} callers"
        found += held_everywhere(server, name, title, *measures)
    return found


async def _measure(
    opened: Opened, *, contest: _Contest, least: float, effort: Effort
) -> list[Figure]:
    is_full = effort.size >= 100  # noqa: PLR2004
    calls = contest.calls if is_full else max(2, contest.calls // 4)
    total = contest.callers * calls
    async with opened as (raw, db):
        make = shared_creates if contest.operation == "create" else shared_reads
        sides, before = await make(raw, db, total)
        seconds = await compete(
            {
                side: together(do, callers=contest.callers, calls=calls)
                for side, do in sides.items()
            },
            msgspec.structs.replace(effort.scaled(rounds=_ROUNDS), size=1),
            before=before,
        )
    return [
        Figure(
            operation=f"{contest.operation}, {contest.callers} callers, {surface}",
            place=raw.place,
            ours=seconds[surface],
            raw=seconds[side],
            against=against(raw, contest.operation, side),
            limit=Limit.at_least(least) if side == "raw" else None,
        ).per_second(total)
        for side in seconds
        if side.startswith("raw")
        for surface in ("direct calls", "workflows")
    ]


def against(raw: Raw, operation: str, side: str) -> str:
    """Return what the report calls a side that begins with ``raw``."""
    if side == "raw":
        return raw.against[f"shared_{operation}"]
    return side.removeprefix("raw, ")


async def shared_creates(
    raw: Raw, db: DataFlow, total: int
) -> tuple[dict[str, Operation], Operation]:
    """Return who creates, and what makes the *total* rows for a turn."""
    people, supply = db["Person"], Supply(total)
    workflow = one_node(db, "PersonCreateNode", *COLUMNS)
    sides: dict[str, Operation] = {
        "raw": lambda: raw.shared_create(supply.take()),
        "direct calls": lambda: people.create(**supply.take()),
        "workflows": lambda: db.run(workflow, parameters={"it": supply.take()}),
    }
    if isinstance(raw, RawSqlite):
        client = raw
        sides["raw, aiosqlite, commits shared"] = lambda: client.create(supply.take())
    return sides, supply.refill


async def shared_reads(
    raw: Raw, db: DataFlow, total: int
) -> tuple[dict[str, Operation], Operation | None]:
    """Return who reads."""
    del total
    people = db["Person"]
    turns = cycle(await raw.fill(new_people(_STORED)))
    workflow = one_node(db, "PersonReadNode", "record_id")
    sides: dict[str, Operation] = {
        "raw": lambda: raw.shared_read(next(turns)),
        "direct calls": lambda: people.read(next(turns)),
        "workflows": lambda: db.run(
            workflow, parameters={"it": {"record_id": next(turns)}}
        ),
    }
    if isinstance(raw, RawSqlite):
        client = raw
        sides["raw, aiosqlite, execute_fetchall"] = lambda: client.read_in_one_hop(
            next(turns)
        )
    return sides, None
