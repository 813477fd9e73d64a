"""The machine that was measured, in a few words."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Final

__all__ = ["describe", "on_one_core"]

_PACKAGES: Final = ("anyio", "asyncpg", "aiosqlite", "msgspec", "trio", "trio-asyncio")


def describe() -> dict[str, str]:
    """Return what tells this machine and this checkout from others."""
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "commit": _commit(),
    }
    if hasattr(os, "getloadavg"):
        facts["load"] = f"{os.getloadavg()[0]:.2f}"
    for package in _PACKAGES:
        facts[package] = _version(package)
    return facts


@contextmanager
def on_one_core(servers: Iterable[int]) -> Iterator[None]:
    """Bind this thread, and processes of a database server, to one core for the block.

    A client and a server that wake each other across cores pay for it or not, as the
    scheduler pleases: 50 us more or less, beside which few others are seen.
    """
    if sys.platform != "linux":
        yield
        return
    bound = {0: os.sched_getaffinity(0)}
    core = {max(bound[0])}
    try:
        for pid in (0, *filter(_is_postgres, servers)):
            bound[pid] = os.sched_getaffinity(pid)
            os.sched_setaffinity(pid, core)
        yield
    finally:
        for pid, cores in bound.items():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores)


def _is_postgres(pid: int) -> bool:
    """Whether a process is here, and no other one of the same number."""
    name = Path(f"/proc/{pid}/comm")
    return name.exists() and name.read_text().startswith("postgres")


def _cpu() -> str:
    names = Path("/proc/cpuinfo")
    if names.exists():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> str:
    git = which("git")
    if git is None:
        return "unknown"
    root = Path(__file__).parent
    done = subprocess.run(  # noqa: S603  # nothing of it comes from outside
        [git, "describe", "--always", "--dirty"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        encoding=sys.getdefaultencoding(),
    )
    return done.stdout.strip() or "unknown"
