"""One caller: what one operation costs, through a workflow and by direct call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import cycle
from typing import Any, Final

import postgresql
import sqlite
from contest import Effort, Operation, compete
from figure import Figure, Limit
from job import Job
from people import COLUMNS, Supply, declare, new_people, one_node
from places import held_everywhere
from raw import Opened, Raw
from server import Server

from dataflow import DataFlow, LocalRuntime

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("create", "read", "update", "delete", "runtime")

_DIRECT: Final = Limit.at_most(1.2, plus=40e-6)
_TWICE_AS_FAST: Final = Limit.at_most(0.5)
_WORKFLOW: Final = "workflow"

# By the name of the operation, the place's first word, and the surface.
LIMITS: Final[Mapping[tuple[str, str, str], Limit]] = {
    ("create", "PostgreSQL", _WORKFLOW): Limit.at_most(1.25),
    ("create", "PostgreSQL", "direct"): _DIRECT,
    ("create", "SQLite", _WORKFLOW): Limit.at_most(1.0),
    ("create", "SQLite", "direct"): _TWICE_AS_FAST,
    ("read", "PostgreSQL", _WORKFLOW): Limit.at_most(1.0, plus=60e-6),
    ("read", "PostgreSQL", "direct"): _DIRECT,
    ("read", "SQLite", "direct"): _TWICE_AS_FAST,
}

_Sides = Mapping[str, Operation]
_STORED: Final = 100
_MORE, _SHORTER = 4, 0.25
"""Rounds and calls: a disk that changes its mind between two turns spoils a round."""

_RUNTIME: Final = "create, LocalRuntime.execute"


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure of *name*, one of `NAMES`."""
    if name == "runtime":
        place = postgresql.RawPostgresql.place
        return [Job(name, _RUNTIME, place, partial(_runtime, server, effort))]
    measure = partial(_one, name=name, effort=effort)
    return held_everywhere(server, name, name, measure)


async def _one(opened: Opened, *, name: str, effort: Effort) -> list[Figure]:
    async with opened as (raw, db):
        often = effort.scaled(rounds=_MORE, size=_SHORTER)
        sides, before = await _SIDES[name](raw, db, often.size)
        seconds = await compete(sides, often, before=before)
    return [
        Figure(
            operation=name if surface == _WORKFLOW else f"{name}, direct call",
            place=raw.place,
            ours=seconds[surface],
            raw=seconds[side],
            against=_against(raw, name, side),
            limit=_limit(name, raw, surface, side),
        )
        for side in seconds
        if side.startswith("raw")
        for surface in (_WORKFLOW, "direct")
    ]


def _against(raw: Raw, name: str, side: str) -> str:
    return raw.against[name] if side == "raw" else side.removeprefix("raw, ")


def _limit(name: str, raw: Raw, surface: str, side: str) -> Limit | None:
    if side != "raw":
        return None
    return LIMITS.get((name, raw.place.partition(",")[0], surface))


async def _create(raw: Raw, db: DataFlow, size: int) -> tuple[_Sides, Operation]:
    workflow, people = one_node(db, "PersonCreateNode", *COLUMNS), db["Person"]
    supply = Supply(size)
    sides: dict[str, Operation] = {
        "raw": lambda: raw.create(supply.take()),
        _WORKFLOW: lambda: db.run(workflow, parameters={"it": supply.take()}),
        "direct": lambda: people.create(**supply.take()),
    }
    return sides, supply.refill


async def _read(raw: Raw, db: DataFlow, size: int) -> tuple[_Sides, Operation | None]:
    del size
    turns = cycle(await raw.fill(new_people(_STORED)))
    workflow, people = one_node(db, "PersonReadNode", "record_id"), db["Person"]
    sides: dict[str, Operation] = {
        "raw": lambda: raw.read(next(turns)),
        _WORKFLOW: lambda: db.run(
            workflow, parameters={"it": {"record_id": next(turns)}}
        ),
        "direct": lambda: people.read(next(turns)),
    }
    if isinstance(raw, sqlite.RawSqlite):
        client = raw
        sides["raw, aiosqlite, execute_fetchall"] = lambda: client.read_in_one_hop(
            next(turns)
        )
    return sides, None


async def _update(raw: Raw, db: DataFlow, size: int) -> tuple[_Sides, Operation | None]:
    del size
    turns = cycle(await raw.fill(new_people(_STORED)))
    ages = cycle(range(_STORED - 1))
    workflow = one_node(db, "PersonUpdateNode", "record_id", "age")
    people = db["Person"]

    def given() -> dict[str, Any]:
        return {"record_id": next(turns), "age": next(ages)}

    return {
        "raw": lambda: raw.update(next(turns), next(ages)),
        _WORKFLOW: lambda: db.run(workflow, parameters={"it": given()}),
        "direct": lambda: people.update(next(turns), age=next(ages)),
    }, None


async def _delete(raw: Raw, db: DataFlow, size: int) -> tuple[_Sides, Operation]:
    workflow, people = one_node(db, "PersonDeleteNode", "record_id"), db["Person"]
    keys: list[int] = []

    async def refill() -> None:
        keys[:] = await raw.fill(new_people(size))

    return {
        "raw": lambda: raw.delete(keys.pop()),
        _WORKFLOW: lambda: db.run(
            workflow, parameters={"it": {"record_id": keys.pop()}}
        ),
        "direct": lambda: people.delete(keys.pop()),
    }, refill


_SIDES: Final[Mapping[str, Any]] = {
    "create": _create,
    "read": _read,
    "update": _update,
    "delete": _delete,
}


def _runtime(server: Server, effort: Effort) -> list[Figure]:
    return asyncio.run(_execute(server.url, effort))


async def _execute(url: str, effort: Effort) -> list[Figure]:
    """Measure plain synchronous code, through the background thread."""
    async with postgresql.opened(url) as (raw, _):
        db = DataFlow(url)
        declare(db)
        workflow = one_node(db, "PersonCreateNode", *COLUMNS)
        supply, runtime = Supply(effort.size), LocalRuntime()

        async def execute() -> None:
            runtime.execute(workflow, {"it": supply.take()})

        try:
            seconds = await compete(
                {"raw": lambda: raw.create(supply.take()), "ours": execute},
                effort,
                before=supply.refill,
            )
        finally:
            await db.aclose()
    return [
        Figure(
            operation=_RUNTIME,
            place=raw.place,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against=raw.against["create"],
        )
    ]
