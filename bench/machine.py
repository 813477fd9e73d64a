"""The machine that was measured, in a few words."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Final

__all__ = ["describe"]

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
