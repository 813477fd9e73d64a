"""Names of what was dropped and is kept for a while."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Final

__all__ = ["PREFIX", "fitting_name", "is_quarantined", "quarantine_name"]

PREFIX: Final = "_dataflow_dropped_"
"""How the name of a table or a column begins that is kept though it was dropped."""

_MAX_BYTES: Final = 63  # of a name: PostgreSQL, NAMEDATALEN - 1
_DIGEST: Final = 8


def is_quarantined(name: str) -> bool:
    """Whether this is the name of something that was dropped and is kept."""
    return name.startswith(PREFIX)


def quarantine_name(name: str, taken: Collection[str]) -> str:
    """Return a name for *name* while it is kept, none of those that are *taken*."""
    plain = f"{PREFIX}{name}"
    number = 1
    while True:
        tail = f"_{number}" if number > 1 else ""
        found = fitting_name(plain, tail)
        if found not in taken:
            return found
        number += 1


def fitting_name(plain: str, tail: str = "") -> str:
    """Return a name with its tail; a digest stands for what would be too long."""
    if len((plain + tail).encode()) <= _MAX_BYTES:
        return plain + tail
    tail = f"_{sha256(plain.encode()).hexdigest()[:_DIGEST]}{tail}"
    kept = plain.encode()[: _MAX_BYTES - len(tail)].decode(errors="ignore")
    return kept + tail
