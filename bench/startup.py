"""What ``import dataflow`` costs: time, memory, and what it brings along."""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter
from typing import Final

from figure import Figure, Limit, Unit, Versus

__all__ = ["measure_import", "measure_memory"]

IMPORT_AT_MOST: Final = Limit(Versus.DIFFERENCE, 0.150)
MEMORY_AT_MOST: Final = Limit(Versus.VALUE, 45e6)
NO_MODULES: Final = Limit(Versus.VALUE, 0)

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


def measure_import(rounds: int) -> list[Figure]:
    """Return how long the import takes, and which heavy modules it brings along."""
    bare: list[float] = []
    ours: list[float] = []
    _run("import dataflow")
    for _ in range(max(9, rounds)):
        bare.append(_seconds("pass"))
        ours.append(_seconds("import dataflow"))
    brought = sorted(set(_HEAVY).intersection(json.loads(_run(_LIST_MODULES))))
    return [
        Figure.against_raw(
            "import dataflow",
            _PLACE,
            ours=ours,
            raw=bare,
            against="bare interpreter",
            limit=IMPORT_AT_MOST,
        ),
        Figure.alone(
            "heavy modules imported",
            _PLACE,
            [len(brought)],
            unit=Unit.MODULES,
            limit=NO_MODULES,
            note=", ".join(brought),
        ),
    ]


def measure_memory(rounds: int) -> list[Figure]:
    """Return how much memory is resident after the import."""
    sizes = [float(_run(_TELL_MEMORY)) for _ in range(max(3, rounds // 5))]
    return [
        Figure.alone(
            "memory after import",
            _PLACE,
            sizes,
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
