"""Copies of what a migration is about to change.

SQLite: the whole database, into a file beside it, by SQLite's own online backup.
PostgreSQL: the tables the migration changes, into a schema of ours in the same database.
Source: sqlite.org/backup.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from ....drivers import Connection, DatabaseUrl
from ....errors import BackupError, QueryError
from ....sql import Statement
from ..._shape import Schema
from ..writing import quote
from ._look import ask

__all__ = [
    "back_up_postgresql",
    "back_up_sqlite",
    "restore_postgresql",
    "restore_sqlite",
]

SCHEMA: Final = "dataflow_backup_"
"""How the name of a schema begins that holds copies of tables."""

_PAGES: Final = 1_000
"""Pages that are copied before others may write in between."""


# -- SQLite -----------------------------------------------------------------------


async def back_up_sqlite(url: DatabaseUrl, number: int) -> str:
    """Copy the database into a file beside it, and return its path.

    The file is there when it is whole. What others write meanwhile is in it, or not.

    Raises:
        BackupError: It is in memory, or the file cannot be written.
    """
    if url.is_memory:
        reason = "a database in memory has none: use a file, or leave the backup out"
        raise BackupError(reason)
    path = Path(f"{url.database}.before-migration-{number}")
    try:
        await to_thread.run_sync(_copy, Path(url.database), path)
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


# -- PostgreSQL -------------------------------------------------------------------


async def back_up_postgresql(
    connection: Connection, number: int, tables: Iterable[str]
) -> str:
    """Copy tables into a schema of their own, and return its name.

    All or nothing, and of one moment.

    Raises:
        BackupError: The role may not create a schema.
    """
    name = f"{SCHEMA}{number}"
    texts = [f"CREATE SCHEMA {quote(name)}"]
    texts += [
        f"CREATE TABLE {quote(name)}.{quote(table)} AS TABLE {quote(table)}"
        for table in sorted(tables)
    ]
    try:
        async with connection.transaction():
            isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            await connection.run([Statement(text) for text in (isolation, *texts)])
    except QueryError as error:
        reason = (
            f"the tables cannot be copied into the schema {name} ({error}): let the "
            "role create schemas, or take a backup with pg_dump and leave this one out"
        )
        raise BackupError(reason) from error
    return name


async def restore_postgresql(
    connection: Connection, backup: str, actual: Schema
) -> Sequence[str]:
    """Give rows the values they had at the time of a backup; return the tables.

    Rows that are there are found by their keys. Rows that were deleted since are put
    back, and rows that are new stay. It joins the open transaction.

    Raises:
        BackupError: The copies are not there any more.
    """
    query = (
        "SELECT c.relname::text, array_agg(a.attname::text) FROM pg_class AS c "
        "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 "
        "AND NOT a.attisdropped "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 GROUP BY c.relname ORDER BY c.relname"
    )
    copies = await ask(connection, query, backup)
    if not copies:
        reason = f"the schema {backup} is not there any more"
        raise BackupError(reason)
    shapes = {table.name: table for table in actual.tables}
    restored: list[str] = []
    for name, columns in copies:
        shape = shapes.get(name)
        if shape is None or shape.key is None:
            continue
        common = [each.name for each in shape.columns if each.name in columns]
        key = ", ".join(map(quote, shape.key.columns))
        listed = ", ".join(map(quote, common))
        values = [each for each in common if each not in shape.key.columns]
        changes = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in values)
        action = f"UPDATE SET {changes}" if changes else "NOTHING"
        text = (
            f"INSERT INTO {quote(name)} ({listed}) OVERRIDING SYSTEM VALUE "
            f"SELECT {listed} FROM {quote(backup)}.{quote(name)} "
            f"ON CONFLICT ({key}) DO {action}"
        )
        await connection.run([Statement(text)])
        restored.append(name)
    return restored
