"""Copies of the tables of PostgreSQL that a migration changes, and their way back.

They are in a file, where there is a ``pg_dump`` to write it; else in a schema of ours in
the same database. Either way rows come back by their keys, into tables that may have
other columns by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio

from ....drivers import Connection, DatabaseUrl
from ....errors import BackupError, QueryError
from ....sql import TENANTS, Statement
from ....telemetry import get_log
from ..._shape import Schema, TableShape
from ..writing import names, quote
from ._look import ask
from ._pg_dump import DumpError, Place, dump, rows_in, tables_in

__all__ = ["back_up_postgresql", "restore_postgresql", "see_backup"]

SCHEMA: Final = "dataflow_backup_"
"""How the name of a schema begins that holds copies of tables."""

_SCRATCH: Final = "dataflow_restored"
_VERSION: Final = "SELECT current_setting('server_version_num')::int / 10000"
_PLACES: Final = """
SELECT n.nspname::text, c.relname::text, c.relkind::text
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY($1::text[]) AND c.relkind IN ('r', 'p')
  AND pg_table_is_visible(c.oid) ORDER BY c.relname
"""

_SCHEMA: Final = (
    "SELECT current_schema()::text, coalesce('_' || left(md5(nullif(current_schema(), "
    "'public')), 12), '')"
)
"""Where the tables are, and what tells its copies from those of another one."""

log = get_log("dataflow.migrations")


async def back_up_postgresql(
    connection: Connection,
    url: DatabaseUrl,
    number: int,
    tables: Iterable[str],
    folder: Path | None = None,
) -> str:
    """Copy tables, and return where: the path of a file, or the name of a schema.

    All or nothing, and of one moment.

    Args:
        connection: To the database; no transaction is open.
        url: Of the database.
        number: Of the migration.
        tables: Their names.
        folder: Where a file has to be made; None takes the current folder, or copies
            in the database where that cannot be.

    Raises:
        BackupError: There can be neither.
    """
    tables = sorted(tables)
    try:
        return await _dumped(connection, url, number, tables, folder or Path.cwd())
    except DumpError as error:
        if folder is not None:
            raise BackupError(str(error)) from error
        log.info("backup_in_database", number=number, reason=str(error))
        return await _copied(connection, number, tables, str(error))


async def _dumped(
    connection: Connection,
    url: DatabaseUrl,
    number: int,
    tables: Sequence[str],
    folder: Path,
) -> str:
    rows = await ask(connection, _PLACES, [*tables])
    partitioned = [name for _, name, kind in rows if kind == "p"]
    if partitioned:  # the rows are in other tables
        message = f"{partitioned[0]} is partitioned"
        raise DumpError(message)
    places = [(schema, name) for schema, name, _ in rows]
    if not places:
        message = "no table is there yet"
        raise DumpError(message)
    version = (await ask(connection, _VERSION))[0][0]
    return str(await dump(url, version, places, folder, number))


_ROW_SECURITY: Final = (
    # A copy without the rows of others would be none: it is refused, but where policies
    # of ours let every row pass, which the server cannot tell from those that do not.
    f"SELECT set_config('row_security', CASE current_setting('{TENANTS}', true) "
    "WHEN 'write' THEN 'on' ELSE 'off' END, true)"
)


async def _copied(
    connection: Connection, number: int, tables: Sequence[str], reason: str
) -> str:
    ((schema, digest),) = await ask(connection, _SCHEMA)
    name = f"{SCHEMA}{number}{digest}"
    said = f"dataflow backup of {schema}".replace("'", "''")
    texts = [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        _ROW_SECURITY,
        f"CREATE SCHEMA {quote(name)}",
        # By this it is found when the schema goes, where that is a tenant's.
        f"COMMENT ON SCHEMA {quote(name)} IS '{said}'",
    ]
    texts += [
        f"CREATE TABLE {quote(name)}.{quote(table)} AS TABLE {quote(table)}"
        for table in tables
    ]
    try:
        async with connection.transaction():
            await connection.run([Statement(text) for text in texts])
    except QueryError as error:
        problem = (
            f"{reason}; and the tables cannot be copied into the schema {name} "
            f"({error}): put a pg_dump on PATH, let the role create schemas, or leave "
            "the backup out"
        )
        raise BackupError(problem) from error
    return name


# -- and back -----------------------------------------------------------------------


async def see_backup(connection: Connection, backup: str) -> None:
    """See that a backup is there, and can be read.

    Raises:
        BackupError: It is gone, or cannot be.
    """
    if backup.startswith(SCHEMA):
        query = "SELECT 1 FROM pg_namespace WHERE nspname = $1"
        is_there = bool(await ask(connection, query, backup))
    else:
        is_there = await anyio.Path(backup).is_file()
    if not is_there:
        reason = f"{backup} is not there any more"
        raise BackupError(reason)
    if not backup.startswith(SCHEMA):
        version = (await ask(connection, _VERSION))[0][0]
        try:
            await tables_in(Path(backup), version, ())
        except DumpError as error:
            reason = f"{backup} cannot be restored: {error}"
            raise BackupError(reason) from error


async def restore_postgresql(
    connection: Connection, backup: str, actual: Schema
) -> Sequence[str]:
    """Give rows the values they had at the time of a backup; return the tables.

    Rows that are there are found by their keys. Rows that were deleted since are put
    back, and rows that are new stay. It joins the open transaction.

    Raises:
        BackupError: The copies cannot be read.
    """
    shapes = {each.name: each for each in _parents_first(actual.tables) if each.key}
    if backup.startswith(SCHEMA):
        return await _from_schema(connection, backup, shapes)
    try:
        return await _from_file(connection, Path(backup), shapes)
    except (DumpError, OSError) as error:
        reason = f"{backup} cannot be restored: {error}"
        raise BackupError(reason) from error


async def _from_schema(
    connection: Connection, backup: str, shapes: Mapping[str, TableShape]
) -> Sequence[str]:
    query = (
        "SELECT c.relname::text, array_agg(a.attname::text) FROM pg_class AS c "
        "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 "
        "AND NOT a.attisdropped "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 GROUP BY c.relname"
    )
    rows: Any = await ask(connection, query, backup)
    copies: dict[str, Any] = dict(rows)
    restored = [name for name in shapes if name in copies]
    for name in restored:
        source = f"{quote(backup)}.{quote(name)}"
        await _put_back(connection, source, shapes[name], copies[name])
    return restored


async def _from_file(
    connection: Connection, path: Path, shapes: Mapping[str, TableShape]
) -> Sequence[str]:
    version = (await ask(connection, _VERSION))[0][0]
    rows = await ask(connection, _PLACES, [*shapes])
    places: dict[str, Place] = {name: (schema, name) for schema, name, _ in rows}
    ordered = [places[name] for name in shapes if name in places]
    found = await tables_in(path, version, ordered)
    for place in found:
        async with rows_in(path, version, place) as (columns, pieces):
            shape = shapes[place[1]]
            await _make_scratch(connection, shape, columns)
            text = f"COPY {_SCRATCH} {names(columns)} FROM STDIN"
            await connection.run([Statement(text, packed=pieces)])
            await _put_back(connection, _SCRATCH, shape, columns)
            await connection.run([Statement(f"DROP TABLE {_SCRATCH}")])
    return [name for _, name in found]


async def _make_scratch(
    connection: Connection, shape: TableShape, columns: Iterable[str]
) -> None:
    """Make a table for rows of a dump; what has no column any more is text in it."""
    said = ", ".join(
        quote(each) if each in shape.by_name else f"NULL::text AS {quote(each)}"
        for each in columns
    )
    text = (
        f"CREATE TEMPORARY TABLE {_SCRATCH} ON COMMIT DROP AS "
        f"SELECT {said} FROM {quote(shape.name)} WITH NO DATA"
    )
    await connection.run([Statement(text)])


async def _put_back(
    connection: Connection, source: str, shape: TableShape, columns: Collection[str]
) -> None:
    """Take the rows of *source* into their table."""
    assert shape.key is not None, "the others were left out"  # noqa: S101
    common = [
        each.name
        for each in shape.columns
        if each.name in columns and each.generated is None
    ]
    listed = ", ".join(map(quote, common))
    values = [each for each in common if each not in shape.key.columns]
    changes = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in values)
    action = f"UPDATE SET {changes}" if changes else "NOTHING"
    text = (
        f"INSERT INTO {quote(shape.name)} ({listed}) OVERRIDING SYSTEM VALUE "
        f"SELECT {listed} FROM {source} "
        f"ON CONFLICT {names(shape.key.columns)} DO {action}"
    )
    await connection.run([Statement(text)])


def _parents_first(tables: Iterable[TableShape]) -> list[TableShape]:
    """Return tables behind those they refer to; circles as they come."""
    by_name = {each.name: each for each in tables}
    ordered: dict[str, TableShape] = {}
    begun: set[str] = set()

    def visit(table: TableShape) -> None:
        if table.name in begun:
            return
        begun.add(table.name)
        for key in table.foreign_keys:
            if key.target in by_name:
                visit(by_name[key.target])
        ordered[table.name] = table

    for each in by_name.values():
        visit(each)
    return [*ordered.values()]
