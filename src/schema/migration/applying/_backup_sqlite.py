"""A copy of a SQLite database, by SQLite's own online backup, and its way back.

Source: sqlite.org/backup.html.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from ....drivers import DatabaseUrl
from ....errors import BackupError

__all__ = ["back_up_sqlite", "restore_sqlite"]

_PAGES: Final = 1_000
"""Pages that are copied before others may write in between."""


async def back_up_sqlite(
    url: DatabaseUrl, number: int, folder: Path | None = None
) -> str:
    """Copy the database into a file, and return its path.

    The file is there when it is whole. What others write meanwhile is in it, or not.

    Args:
        url: Of the database.
        number: Of the migration.
        folder: Where the file is made; beside the database if None.

    Raises:
        BackupError: It is in memory, or the file cannot be written.
    """
    if url.is_memory:
        reason = "a database in memory has none: use a file, or leave the backup out"
        raise BackupError(reason)
    source = Path(url.database)
    path = (folder or source.parent) / f"{source.name}.before-migration-{number}"
    try:
        await to_thread.run_sync(_copy, source, path)
    except (sqlite3.Error, OSError) as error:
        reason = f"{path} cannot be written: {error}"
        raise BackupError(reason) from error
    return str(path)


def _copy(source: Path, path: Path) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(source)) as connection,
        closing(sqlite3.connect(partial)) as copy,
    ):
        connection.backup(copy, pages=_PAGES)
        (answer,) = copy.execute("PRAGMA quick_check").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(str(answer))
    partial.replace(path)


async def restore_sqlite(url: DatabaseUrl, backup: str) -> None:
    """Make the whole database what it was at the time of a backup.

    What was written since is lost, in every table. It is one transaction.

    Raises:
        BackupError: The file is not there, or is not whole, or the database is in use.
    """
    if not await anyio.Path(backup).is_file():
        reason = f"{backup} is not there any more"
        raise BackupError(reason)
    try:
        await to_thread.run_sync(_put_back, Path(backup), Path(url.database))
    except (sqlite3.Error, OSError) as error:
        reason = f"{backup} cannot be restored: {error}"
        raise BackupError(reason) from error


def _put_back(path: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(path)) as copy,
        closing(sqlite3.connect(target)) as connection,
    ):
        (answer,) = copy.execute("PRAGMA quick_check").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(str(answer))
        copy.backup(connection)
