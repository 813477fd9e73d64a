"""Memory while rows without end are stored: it must not grow with their number."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from figure import Figure, Limit, Unit
from job import Job
from places import PLACES
from postgresql import opened
from server import Server

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("memory",)

GROWTH_AT_MOST: Final = Limit.at_most(plus=20e6)
"""Bytes between the first tenth of the rows and the end."""

_SCRIPT: Final = Path(__file__).with_name("endless.py")
_OPERATION: Final = "bulk create from a generator"


def jobs(server: Server, n_rows: int) -> list[Job]:
    """Return what to measure with *n_rows* rows."""
    postgresql, sqlite = PLACES
    return [
        Job("memory", _OPERATION, postgresql, partial(_postgresql, server, n_rows)),
        Job("memory", _OPERATION, sqlite, partial(_sqlite, n_rows)),
    ]


def _postgresql(server: Server, n_rows: int) -> list[Figure]:
    asyncio.run(_clear(server.url))
    try:
        return _measure(PLACES[0], server.url, n_rows)
    finally:
        asyncio.run(_clear(server.url))


def _sqlite(n_rows: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        return _measure(PLACES[1], f"sqlite:///{Path(folder) / 'bench.db'}", n_rows)


async def _clear(url: str) -> None:
    """Empty the table, so that the next one to use it does not wait for its rows."""
    async with opened(url) as (raw, _):
        await raw.fill(())


def _measure(place: str, url: str, n_rows: int) -> list[Figure]:
    command = [sys.executable, str(_SCRIPT), url, str(n_rows)]
    done = subprocess.run(  # noqa: S603  # our own code
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    told: dict[str, Any] = json.loads(done.stdout)
    if told["stored"] != n_rows:
        msg = f"{told['stored']} of {n_rows} rows are stored"
        raise RuntimeError(msg)
    sizes: list[int] = told["sizes"]
    tenth = sizes[len(sizes) // 10]
    return [
        Figure(
            operation=f"memory, {_OPERATION}: growth",
            place=place,
            ours=[max(sizes[len(sizes) // 10 :]) - tenth],
            unit=Unit.BYTES,
            limit=GROWTH_AT_MOST,
            note=f"over {tenth / 1e6:.0f} MB after a tenth of {n_rows} rows",
        ),
        Figure(operation=_OPERATION, place=place, ours=[told["seconds"]]).per_second(
            n_rows
        ),
    ]
