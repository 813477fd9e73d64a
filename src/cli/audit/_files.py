"""Files of keys and of checkpoints; what goes wrong is a line and an exit code."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer

__all__ = ["append", "read", "write_new"]

_OWNER_ONLY = 0o600


def read(path: Path) -> str:
    """Return the text of a file."""
    with _told(path, "read"):
        return path.read_text(encoding="utf-8")


def append(path: Path, line: str) -> None:
    """Add a line to a file; it is on the disk when this returns."""
    with _told(path, "write"), path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def write_new(files: Mapping[Path, bytes]) -> None:
    """Write files that are not there yet, for their owner only; all of them or none."""
    for path in files:
        if path.exists():
            _fail(path, "write", "it is there already, and a lost key is lost for good")
    for path, content in files.items():
        with _told(path, "write"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, _OWNER_ONLY), "wb") as file:
                file.write(content)


@contextmanager
def _told(path: Path, verb: str) -> Generator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        _fail(path, verb, reason)


def _fail(path: Path, verb: str, reason: str) -> None:
    typer.echo(f"dataflow: cannot {verb} {path}: {reason}", err=True)
    raise typer.Exit(1)
