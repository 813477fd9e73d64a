"""The race: every peer in turn, each in its own process, several times over.

The processes cannot alternate call by call as the two sides of a contest do, so the
whole field starts several times, and what stands for a peer is its median start.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import people
from server import Server

from dataflow import DataFlow

from .environment import PEERS, Library, python_of, version_of
from .rows import CannotError, Target
from .worker import OPERATIONS, Size

__all__ = ["DATABASES", "FIELD", "Outcome", "race"]

RAW: Final = Library("raw", "with_raw")
OURS: Final = Library("ours", "with_ours")
FIELD: Final = (RAW, OURS, *PEERS)
DATABASES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}

_STARTS: Final = 5
_FULL: Final = Size(rounds=3, calls=50, rows=10_000)
_QUICK: Final = Size(rounds=3, calls=20, rows=2_000)
_OWN_TABLE: Final = "with_kailash"
"""The module whose peer makes its table itself."""

_COUNT: Final = f"SELECT count(*) FROM {people.TABLE}"  # noqa: S608  # our own

_WORKER: Final = Path(__file__).with_name("worker.py")


@dataclass
class Outcome:
    """What one participant did in one operation.

    Attributes:
        operation: What was done.
        database: Where, see `DATABASES`.
        who: Name of the participant.
        seconds: Of one operation or row, by start; empty if it cannot do it.
        cannot: Why not.
    """

    operation: str
    database: str
    who: str
    seconds: list[float] = field(default_factory=list)
    cannot: str = ""

    def take(self, told: dict[str, Any]) -> None:
        """Add what a start gave."""
        if "cannot" in told:
            self.cannot = told["cannot"]
        else:
            self.seconds.append(median(told["seconds"]))


def race(
    server: Server, *, is_quick: bool, tell: Callable[[str], None]
) -> tuple[list[Outcome], dict[str, str]]:
    """Return what everybody did, and the versions of the peers."""
    size, starts = (_QUICK, 1) if is_quick else (_FULL, _STARTS)
    outcomes = {
        (operation, database, library.name): Outcome(operation, database, library.name)
        for operation in OPERATIONS
        for database in DATABASES
        for library in FIELD
    }
    versions: dict[str, str] = {}
    for start in range(starts):
        for library in (*FIELD[start:], *FIELD[:start]):
            tell(f"{library.name}, start {start + 1} of {starts}")
            try:
                python = python_of(library)
                if library.requirements:
                    versions[library.name] = version_of(library)
            except CannotError as reason:
                told = {
                    each: {"cannot": f"not installed: {reason}"} for each in OPERATIONS
                }
                _note(outcomes, library, [*DATABASES], told)
                continue
            for database in DATABASES:
                with _target(server, database, library) as target:
                    told = _start(python, library, target, size)
                    _check(told, asyncio.run(_count(target.url)))
                _note(outcomes, library, [database], told)
    return list(outcomes.values()), versions


def _note(
    outcomes: dict[tuple[str, str, str], Outcome],
    library: Library,
    databases: Sequence[str],
    told: dict[str, dict[str, Any]],
) -> None:
    for operation, figures in told.items():
        for database in databases:
            outcomes[operation, database, library.name].take(figures)


def _start(
    python: str, library: Library, target: Target, size: Size
) -> dict[str, dict[str, Any]]:
    """Return what each operation took in a process, or why there is nothing."""
    done = subprocess.run(  # noqa: S603  # our own code
        [python, str(_WORKER), library.module],
        input=json.dumps({"target": asdict(target), "size": asdict(size)}),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    last = done.stderr.strip().rpartition("\n")[2] or "it ended early"
    told: dict[str, dict[str, Any]] = {each: {"cannot": last} for each in OPERATIONS}
    told.update(dict(json.loads(line) for line in lines))
    return told


def _check(told: dict[str, dict[str, Any]], count: int) -> None:
    """Take back what was told if rows are missing: fast is no merit then."""
    stored = sum(figures.get("stored", 0) for figures in told.values())
    if count < stored:
        reason = f"{count} of {stored} rows are stored"
        told.update({each: {"cannot": reason} for each in OPERATIONS})


async def _count(url: str) -> int:
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        try:
            with closing(sqlite3.connect(path)) as client:
                return int(client.execute(_COUNT).fetchone()[0])
        except sqlite3.OperationalError:  # a peer that made no table
            return 0
    asyncpg: Any = import_module("asyncpg")  # it has no types
    client = await asyncpg.connect(url)
    try:
        return int(await client.fetchval(_COUNT))
    except asyncpg.UndefinedTableError:
        return 0
    finally:
        await client.close()


@contextmanager
def _target(server: Server, database: str, library: Library) -> Iterator[Target]:
    """Give a database with an empty table, unless the peer makes its own."""
    has_table = library.module != _OWN_TABLE
    if database == "sqlite":
        with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
            path = Path(folder) / "bench.db"
            url = f"sqlite:///{path}"
            if has_table:
                asyncio.run(_make_table(url))
            yield Target(database, url, path=str(path))
        return
    asyncio.run(server.drop(people.TABLE))
    if has_table:
        asyncio.run(_make_table(server.url))
    parts = urlsplit(server.url)
    yield Target(
        database,
        server.url,
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        name=parts.path.lstrip("/"),
        password=unquote(parts.password or ""),
    )
    asyncio.run(server.drop(people.TABLE))


async def _make_table(url: str) -> None:
    async with DataFlow(url) as db:
        people.declare(db)
        await db.initialize()
