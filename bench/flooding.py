"""How long one tenant's calls take while another one floods.

Tenant A stores rows without a pause, by one bulk create or from 500 tasks; tenant B
reads and creates single rows of the same model, on the same event loop, one call at a
time. What B's 99th of 100 calls takes then is held against what it takes when A does
nothing: both in every round, one after the other.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import anyio
import msgspec
from figure import Figure, Limit
from job import Job
from places import PLACES
from server import Server

from dataflow import DataFlow, Records

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("flooding",)

TWICE: Final = Limit.at_most(2.0)
"""How much longer B's calls take beside a million rows than they do alone."""

TABLE: Final = "flooded"
TASKS: Final = 500
_STORED: Final = 1_000
_PAUSE_S: Final = 0.001
"""Between two calls of B, who is no flood."""
_HEAD_START_S: Final = 0.05

_OPERATION: Final = "one tenant's calls while another floods, p99"


class _Amount(msgspec.Struct, frozen=True):
    """How much is measured.

    Attributes:
        rows: That A's bulk create stores in a round, at least.
        calls: Of B in a round, of each kind.
        rounds: Of each flood.
    """

    rows: int
    calls: int
    rounds: int


_FULL: Final = _Amount(rows=1_000_000, calls=1_000, rounds=3)
_QUICK: Final = _Amount(rows=50_000, calls=150, rounds=2)

_Rounds = dict[str, list[float]]


class _Flood(msgspec.Struct, frozen=True):
    """What A does.

    Attributes:
        title: What the report calls it.
        do: Does it until the event is set, and with so many rows at least.
        limits: What A may have, as far as it is limited.
        limit: How much longer B's calls may take; None where it is only told.
    """

    title: str
    do: Callable[[Records, int, anyio.Event], Coroutine[Any, Any, None]]
    limits: dict[str, Any] = {}
    limit: Limit | None = None


def jobs(server: Server, *, is_quick: bool) -> list[Job]:
    """Return what to measure."""
    amount = _QUICK if is_quick else _FULL
    postgresql, sqlite = PLACES
    return [
        Job("flooding", _OPERATION, postgresql, partial(_postgresql, server, amount)),
        Job("flooding", _OPERATION, sqlite, partial(_sqlite, amount)),
    ]


def _postgresql(server: Server, amount: _Amount) -> list[Figure]:
    async def measure() -> list[Figure]:
        await server.drop(TABLE)
        try:
            return await _measure(PLACES[0], server.url, amount)
        finally:
            await server.drop(TABLE)

    return asyncio.run(measure())


def _sqlite(amount: _Amount) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        return asyncio.run(_measure(PLACES[1], url, amount))


async def _measure(place: str, url: str, amount: _Amount) -> list[Figure]:
    figures: list[Figure] = []
    async with DataFlow(url) as db:
        notes = await _declared(db)
        for flood in _FLOODS:
            if flood.limits:
                db.tenants.limit("a", **flood.limits)
            alone, flooded = await _rounds(notes, flood, amount)
            db.tenants.unlimit("a")
            figures += [
                Figure(
                    operation=f"{kind} beside {flood.title}, p99",
                    place=place,
                    ours=flooded[kind],
                    raw=alone[kind],
                    against="the same with no flood",
                    limit=flood.limit,
                    note=f"{amount.calls} calls in each round",
                )
                for kind in alone
            ]
    return figures


async def _rounds(
    notes: Records, flood: _Flood, amount: _Amount
) -> tuple[_Rounds, _Rounds]:
    """Return B's p99 of each round, by kind: alone, and beside the flood."""
    alone: _Rounds = {"read": [], "create": []}
    flooded: _Rounds = {"read": [], "create": []}
    for _ in range(amount.rounds):
        gc.collect()
        await _note(alone, notes, amount.calls)
        async with _flooding(flood, notes, amount.rows):
            await _note(flooded, notes, amount.calls)
        await notes.bulk_delete(filter={}, confirmed=True, tenant_id="a")
    return alone, flooded


async def _note(rounds: _Rounds, notes: Records, n: int) -> None:
    for kind, seconds in (await _calls(notes, n)).items():
        rounds[kind].append(_p99(seconds))


async def _declared(db: DataFlow) -> Records:
    """Return the rows of a new model; B has some."""
    body = {
        "__annotations__": {"name": str, "number": int, "note": str},
        "__dataflow__": {"multi_tenant": True, "table_name": TABLE},
    }
    db.model(type("Note", (), body))
    notes = db["Note"]
    await notes.bulk_create(data=list(map(_row, range(_STORED))), tenant_id="b")
    # Each connection has prepared what is measured, and each actor has begun.
    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(_create, notes, "a")
    await _calls(notes, 50)
    return notes


async def _calls(notes: Records, n: int) -> dict[str, list[float]]:
    """Make *n* calls of each kind for B, one at a time, and tell the seconds of each."""
    seconds: dict[str, list[float]] = {"read": [], "create": []}
    made = [
        row["id"] for row in (await notes.list(limit=100, tenant_id="b"))["records"]
    ]
    for number in range(n):
        start = perf_counter()
        await notes.read(made[number % len(made)], tenant_id="b")
        seconds["read"].append(perf_counter() - start)
        await anyio.sleep(_PAUSE_S)
        start = perf_counter()
        await _create(notes, "b")
        seconds["create"].append(perf_counter() - start)
        await anyio.sleep(_PAUSE_S)
    return seconds


@asynccontextmanager
async def _flooding(flood: _Flood, notes: Records, n_rows: int) -> AsyncGenerator[None]:
    """Flood for as long as the block lasts."""
    is_enough = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flood.do, notes, n_rows, is_enough)
        await anyio.sleep(_HEAD_START_S)
        yield
        is_enough.set()


async def _by_bulk(
    notes: Records, n_rows: int, is_enough: anyio.Event, **options: int
) -> None:
    """Store rows by one bulk create."""

    def rows() -> Iterator[dict[str, Any]]:
        for number in count():
            if number >= n_rows and is_enough.is_set():
                return
            yield _row(number)

    await notes.bulk_create(data=rows(), tenant_id="a", **options)


async def _by_tasks(notes: Records, n_rows: int, is_enough: anyio.Event) -> None:
    """Store rows one by one, from many tasks."""
    del n_rows

    async def create() -> None:
        while not is_enough.is_set():
            await _create(notes, "a")

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(create)


_FLOODS: Final = (
    _Flood("a bulk create", _by_bulk, limit=TWICE),
    _Flood(
        "a bulk create of batches of 500",
        partial(_by_bulk, batch_size=500),
        limit=TWICE,
    ),
    _Flood(f"{TASKS} callers that create", _by_tasks),
    _Flood(f"{TASKS} callers limited to 20", _by_tasks, {"running": 20}),
)


async def _create(notes: Records, tenant: str) -> None:
    await notes.create(**_row(7), tenant_id=tenant)


def _row(number: int) -> dict[str, Any]:
    return {"name": f"name {number}", "number": number, "note": "a note"}


def _p99(seconds: list[float]) -> float:
    """Return what 99 of 100 stay below."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
