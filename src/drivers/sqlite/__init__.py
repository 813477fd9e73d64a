"""SQLite, through aiosqlite: one writer, several readers, each with a thread."""

from __future__ import annotations

from ._driver import SqliteDriver

__all__ = ["SqliteDriver"]
