"""How long readers wait while a large table is migrated.

Another process reads single rows all the time, and a third party keeps transactions
open that have read the table and then do nothing, a second each: a step that waits for
its lock behind one of these holds up everybody who comes after it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, Final

from figure import Figure, Limit
from job import Job
from places import PLACES
from server import Server

from dataflow import DataFlow, field
from dataflow.schema.migration import Risk, Step

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("migrating",)

WAIT_AT_MOST: Final = Limit.at_most(plus=0.100)
"""Seconds that 99 of 100 reads take, during every step that nobody is to notice."""

TABLE: Final = "events"
IDLE_S: Final = 1.0
GAP_S: Final = 0.2
_SCRIPT: Final = Path(__file__).with_name("reader.py")
_OPERATION: Final = "SELECT while migrated, p99"

_FILL: Final = {
    "postgresql": f"INSERT INTO {TABLE} (name, kind, size, count, note) "  # noqa: S608
    "SELECT 'name ' || i, i % 97, i, i, 'note' FROM generate_series(1, {rows}) AS i",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "  # noqa: S608
    f"WHERE i < {{rows}}) INSERT INTO {TABLE} (name, kind, size, count, note) "
    "SELECT 'name ' || i, i % 97, i * 100, i, 'note' FROM n",
}

Timed = tuple[Step, float, float]
"""A step, when it began and when it ended, on the clock of `time.monotonic`."""


def jobs(server: Server, n_rows: int) -> list[Job]:
    """Return what to measure on a table of *n_rows* rows."""
    postgresql, sqlite = PLACES
    return [
        Job("migrating", _OPERATION, postgresql, partial(_postgresql, server, n_rows)),
        Job("migrating", _OPERATION, sqlite, partial(_sqlite, n_rows)),
    ]


def _postgresql(server: Server, n_rows: int) -> list[Figure]:
    asyncio.run(_drop(server))
    try:
        return asyncio.run(_measure(PLACES[0], server.url, n_rows))
    finally:
        asyncio.run(_drop(server))


async def _drop(server: Server) -> None:
    for table in (TABLE, "dataflow_migrations", "dataflow_migration_steps"):
        await server.drop(table)


def _sqlite(n_rows: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        return asyncio.run(_measure(PLACES[1], url, n_rows))


async def _measure(place: str, url: str, n_rows: int) -> list[Figure]:
    async with DataFlow(url) as db:
        _declare(db, changed=False)
        await db.auto_migrate(auto_confirm=True)
        await _fill(url, n_rows)
        _declare(db, changed=True)
        async with _idle(url), _reading(url, n_rows) as reads:
            timed = await _migrate(db)
    return [_figure(place, n_rows, timed, reads)]


def _declare(db: DataFlow, *, changed: bool) -> None:
    annotations: dict[str, Any] = {"name": str, "kind": int | None, "note": str}
    body: dict[str, Any] = {"__annotations__": annotations}
    body["size"] = field(digits=(12 if changed else 10, 2))
    annotations |= {"size": Decimal, "count": int | None}
    options: dict[str, Any] = {"table_name": TABLE}
    if changed:
        annotations |= {"kind": int, "note": str | None, "extra": int | None}
        annotations |= {"flag": bool, "made": int}
        body |= {"flag": True, "made": field(default_factory=lambda: 7)}
        options["indexes"] = ["kind", ["count", "name"]]
    db.model(type("Event", (), {**body, "__dataflow__": options}))


async def _fill(url: str, n_rows: int) -> None:
    if url.startswith("sqlite"):
        text = _FILL["sqlite"].format(rows=n_rows)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as client:
            client.execute(text)
            client.commit()
        return
    asyncpg: Any = import_module("asyncpg")  # it has no types
    client = await asyncpg.connect(url)
    await client.execute(_FILL["postgresql"].format(rows=n_rows))
    await client.execute(f"VACUUM ANALYZE {TABLE}")
    await client.close()


async def _migrate(db: DataFlow) -> list[Timed]:
    """Migrate, and tell when each step began, its waiting for locks included."""
    timed: list[Timed] = []
    last = monotonic()

    def note(step: Step, _: int, __: float) -> None:
        nonlocal last
        now = monotonic()
        timed.append((step, last, now))
        last = now

    await db.migrations.apply(max_risk_level="CRITICAL", on_step=note)
    return timed


@asynccontextmanager
async def _idle(url: str) -> AsyncGenerator[None]:
    """Keep transactions open that have read the table, one after the other."""
    idling = asyncio.create_task(_stay_idle(url))
    try:
        yield
    finally:
        idling.cancel()
        await asyncio.wait([idling])


async def _stay_idle(url: str) -> None:
    query = f"SELECT * FROM {TABLE} LIMIT 1"  # noqa: S608
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as client:
            while True:
                client.execute("BEGIN")
                client.execute(query).fetchall()
                await asyncio.sleep(IDLE_S)
                client.execute("COMMIT")
                await asyncio.sleep(GAP_S)
    asyncpg: Any = import_module("asyncpg")  # it has no types
    client = await asyncpg.connect(url)
    try:
        while True:
            async with client.transaction():
                await client.fetch(query)
                await asyncio.sleep(IDLE_S)
            await asyncio.sleep(GAP_S)
    finally:
        client.terminate()


@asynccontextmanager
async def _reading(url: str, n_rows: int) -> AsyncGenerator[list[tuple[float, float]]]:
    """Read single rows in another process; what it tells is there at the end."""
    told: list[tuple[float, float]] = []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_SCRIPT),
        url,
        TABLE,
        str(n_rows),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 30,
    )
    assert process.stdout is not None, "it is asked for"  # noqa: S101
    await process.stdout.readline()
    try:
        yield told
    finally:
        answer, _ = await process.communicate(b"")
        told += json.loads(answer)


def _figure(
    place: str,
    n_rows: int,
    timed: Sequence[Timed],
    reads: Sequence[tuple[float, float]],
) -> Figure:
    quiet = [each for each in timed if _is_quiet(each[0])]
    waits = {
        step.operation: _p99(_during(reads, start, end)) for step, start, end in quiet
    }
    worst = max(waits, key=lambda each: waits[each])
    kinds = ", ".join(sorted(waits))
    return Figure(
        operation=_OPERATION,
        place=place,
        ours=[waits[worst]],
        limit=WAIT_AT_MOST,
        note=f"{n_rows} rows, {len(reads)} reads; the worst is {worst} of {kinds}",
    )


def _is_quiet(step: Step) -> bool:
    """Whether readers are not to notice; on SQLite they never are."""
    return step.risk is Risk.LOW or step.lock == "the writer's"


def _during(
    reads: Sequence[tuple[float, float]], start: float, end: float
) -> list[float]:
    """Return the seconds of the reads that were on their way meanwhile."""
    return [took for began, took in reads if began + took >= start and began <= end]


def _p99(seconds: Sequence[float]) -> float:
    """Return what 99 of 100 stay below; of few, the greatest."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] if ordered else 0.0
