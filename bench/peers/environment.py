"""An environment for each peer, made once and kept in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .rows import CannotError

__all__ = ["PEERS", "Library", "python_of", "version_of"]

_LONGEST_S: Final = 600
"""Seconds that an installation may take."""


@dataclass(frozen=True)
class Library:
    """A peer.

    Attributes:
        name: What the table calls it.
        module: What runs it, one of `peers`.
        requirements: What pip installs; the first is the peer itself. None where
            it runs in the environment of the benchmarks.
    """

    name: str
    module: str
    requirements: tuple[str, ...] = ()


PEERS: Final = (
    Library(
        "SQLAlchemy Core",
        "with_sqlalchemy",
        ("sqlalchemy[asyncio]", "asyncpg", "aiosqlite"),
    ),
    Library("psycopg 3", "with_psycopg", ("psycopg[binary,pool]",)),
    Library("Tortoise", "with_tortoise", ("tortoise-orm[asyncpg]",)),
    Library("Piccolo", "with_piccolo", ("piccolo[postgres,sqlite]",)),
    Library("Kailash", "with_kailash", ("kailash-dataflow[postgres-sync,sqlite]",)),
)


def python_of(library: Library) -> str:
    """Return the interpreter that has the library, installing it if need be.

    Raises:
        CannotError: It cannot be installed; says why.
    """
    if not library.requirements:
        return sys.executable
    folder = _folder(library)
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join((sys.version, *library.requirements))
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-input"]
    try:
        done = subprocess.run(  # noqa: S603  # our own command
            [*command, "--disable-pip-version-check", *library.requirements],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        reason = f"pip was not done within {_LONGEST_S} s"
        raise CannotError(reason) from None
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise CannotError(reason)
    stamp.write_text(wanted)
    return str(python)


def version_of(library: Library) -> str:
    """Return the version that is installed."""
    name = library.requirements[0].partition("[")[0]
    code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run(  # noqa: S603  # our own code
        [python_of(library), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def _folder(library: Library) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    major, minor = sys.version_info[:2]
    return cache / "dataflow-bench" / f"{library.module}-{major}.{minor}"
