"""Migrations: a start with nothing to do, and a plan, for fifty tables."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

from contest import Effort
from figure import Figure, Limit
from job import Job
from places import held_everywhere
from raw import Opened
from server import Server

from dataflow import DataFlow

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("migrate",)

MODELS: Final = 50
START_AT_MOST: Final = Limit.at_most(plus=0.020)
PLAN_AT_MOST: Final = Limit.at_most(plus=0.300)


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure."""
    measure = partial(_measure, rounds=effort.rounds)
    return held_everywhere(server, name, "migrate", measure)


async def _measure(opened: Opened, *, rounds: int) -> list[Figure]:
    async with opened as (raw, db):
        _declare(db, changed=False)
        await db.auto_migrate(auto_confirm=True)
        started = [await _start(db) for _ in range(rounds)]
        _declare(db, changed=True)
        planned = [await _plan(db) for _ in range(rounds)]
    return [
        Figure(
            operation=f"start, {MODELS} models unchanged",
            place=raw.place,
            ours=started,
            limit=START_AT_MOST,
        ),
        Figure(
            operation=f"plan, {MODELS} models changed",
            place=raw.place,
            ours=planned,
            limit=PLAN_AT_MOST,
        ),
    ]


def _declare(db: DataFlow, *, changed: bool) -> None:
    for number in range(MODELS):
        annotations: dict[str, Any] = {"name": str, "age": int, "note": str | None}
        body: dict[str, Any] = {
            "__annotations__": annotations,
            "__dataflow__": {"indexes": ["age"], "unique": [["name"]]},
        }
        if changed:
            annotations["note"], annotations["size"], body["size"] = str, int, 3
            body["note"] = ""
        db.model(type(f"Thing{number}", (), body))


async def _start(db: DataFlow) -> float:
    """Declare the models anew, as a program that starts does, and find them unchanged."""
    _declare(db, changed=False)
    start = time.perf_counter()
    _, migrations = await db.auto_migrate(auto_confirm=True)
    if migrations:
        msg = "there should be nothing to do"
        raise RuntimeError(msg)
    return time.perf_counter() - start


async def _plan(db: DataFlow) -> float:
    start = time.perf_counter()
    _, migrations = await db.auto_migrate(dry_run=True)
    if len(migrations[0].steps) < MODELS:
        msg = "each table should be changed"
        raise RuntimeError(msg)
    return time.perf_counter() - start
