"""What ``import dataflow`` costs: time, memory, and what it brings along."""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter
from typing import Final

from contest import Effort
from figure import Figure, Limit, Unit
from job import Job

__all__ = ["jobs"]

IMPORT_AT_MOST: Final = Limit.at_most(1, plus=0.150)
MEMORY_AT_MOST: Final = Limit.at_most(plus=45e6)
NO_MODULES: Final = Limit.at_most()

_HEAVY: Final = (
    "aiosqlite",
    "asyncpg",
    "rich",
    "sqlalchemy",
    "structlog",
    "trio",
    "typer",
)
_PLACE: Final = "new process"

_LIST_MODULES: Final = "import dataflow, json, sys; print(json.dumps([*sys.modules]))"
_TELL_MEMORY: Final = """
import dataflow
import resource, sys
try:
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status if ":" in line)
    print(int(lines["VmRSS"].split()[0]) * 1024)
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak if sys.platform == "darwin" else peak * 1024)
"""


def jobs(effort: Effort) -> list[Job]:
    """Return what to measure."""
    rounds = effort.rounds
    return [
        Job("import", "import dataflow", _PLACE, lambda: _measure_import(rounds)),
        Job("import", "memory after import", _PLACE, lambda: _measure_memory(rounds)),
    ]


def _measure_import(rounds: int) -> list[Figure]:
    """Return how long the import takes, and which heavy modules it brings along."""
    bare: list[float] = []
    ours: list[float] = []
    _run("import dataflow")
    for _ in range(max(9, rounds)):
        bare.append(_seconds("pass"))
        ours.append(_seconds("import dataflow"))
    brought = sorted(set(_HEAVY).intersection(json.loads(_run(_LIST_MODULES))))
    return [
        Figure(
            operation="import dataflow",
            place=_PLACE,
            ours=ours,
            raw=bare,
            against="bare interpreter",
            limit=IMPORT_AT_MOST,
        ),
        Figure(
            operation="heavy modules imported",
            place=_PLACE,
            ours=[len(brought)],
            unit=Unit.MODULES,
            limit=NO_MODULES,
            note=", ".join(brought),
        ),
    ]


def _measure_memory(rounds: int) -> list[Figure]:
    """Return how much memory is resident after the import."""
    return [
        Figure(
            operation="memory after import",
            place=_PLACE,
            ours=[float(_run(_TELL_MEMORY)) for _ in range(max(3, rounds // 5))],
            unit=Unit.BYTES,
            limit=MEMORY_AT_MOST,
        )
    ]


def _seconds(code: str) -> float:
    start = perf_counter()
    _run(code)
    return perf_counter() - start


def _run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(  # noqa: S603  # our own code
        command, check=True, capture_output=True, text=True
    ).stdout
