"""The registry: models as processes declared them, kept in the database."""

from __future__ import annotations

from ._definition import checksum, define, rebuild
from ._entry import REGISTRY, Drift, Entry
from ._store import drift, entries, register

__all__ = [
    "REGISTRY",
    "Drift",
    "Entry",
    "checksum",
    "define",
    "drift",
    "entries",
    "rebuild",
    "register",
]
