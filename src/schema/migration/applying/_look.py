"""What a plan must know, asked of the database over the connection that migrates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from ....drivers import Connection
from ....sql import Dialect, Statement
from ..._shape import Schema, TableShape
from ...reading import OWN_TABLES
from ...reading._postgresql import read_postgresql
from ...reading._sqlite import read_sqlite
from ..planning import LARGE, Counter, Facts, TableFacts
from ..writing import quote

__all__ = ["ask", "digest", "look", "weigh"]

_DIGEST: Final = """
WITH relations AS (
  SELECT c.oid, c.relname FROM pg_class AS c
  WHERE c.relname = ANY($1::text[]) AND c.relkind IN ('r', 'p')
    AND pg_table_is_visible(c.oid))
SELECT md5(string_agg(said, '|' ORDER BY said)) FROM (
  SELECT concat_ws(':', r.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
    a.attcollation, a.attidentity) AS said
  FROM relations AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT concat_ws(':', r.relname, k.conname, k.contype, k.conkey, k.confrelid,
    k.confkey, k.confdeltype, k.confupdtype, k.convalidated)
  FROM relations AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
  UNION ALL
  SELECT concat_ws(':', r.relname, i.indexrelid, i.indkey, i.indisunique, i.indisvalid)
  FROM relations AS r JOIN pg_index AS i ON i.indrelid = r.oid) AS facts
"""
_SIZES: Final = """
SELECT c.relname::text, greatest(c.reltuples, 0)::bigint,
  ARRAY(SELECT x.relname::text FROM pg_index AS i JOIN pg_class AS x
    ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND NOT i.indisvalid),
  ARRAY(SELECT k.conname::text FROM pg_constraint AS k
    WHERE k.conrelid = c.oid AND NOT k.convalidated)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
# From version 18 on NOT NULL is a constraint with a name; before, there is no such row.
_NOT_NULLS: Final = """
SELECT c.relname::text, a.attname::text, k.conname::text
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'n' AND c.relname = ANY($1::text[]) AND pg_table_is_visible(c.oid)
"""
_COUNTERS: Final = """
SELECT c.relname::text, a.attname::text, n.nspname::text, q.relname::text, s.seqstart,
  s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
  CASE WHEN has_sequence_privilege(q.oid, 'USAGE, SELECT')
    THEN pg_sequence_last_value(q.oid) END
FROM pg_depend AS d JOIN pg_sequence AS s ON s.seqrelid = d.objid
JOIN pg_class AS q ON q.oid = d.objid JOIN pg_namespace AS n ON n.oid = q.relnamespace
JOIN pg_class AS c ON c.oid = d.refobjid
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.deptype = 'i' AND c.relname = ANY($1::text[]) AND pg_table_is_visible(c.oid)
"""
_INVALID: Final = """
SELECT t.relname::text, x.relname::text FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
WHERE NOT i.indisvalid AND pg_table_is_visible(t.oid)
"""


async def ask(
    connection: Connection, text: str, *parameters: object
) -> Sequence[Sequence[Any]]:
    """Return the rows of one query."""
    (result,) = await connection.run([Statement(text, parameters, returns_rows=True)])
    return result.rows


async def look(connection: Connection, dialect: Dialect) -> Schema:
    """Return the shape of the database, without the tables of this package.

    Indexes that were left behind unfinished are as good as none.
    """
    invalid: set[tuple[str, str]] = set()
    if dialect.name == "postgresql":
        found = await read_postgresql(connection, None)
        invalid = {(row[0], row[1]) for row in await ask(connection, _INVALID)}
    else:
        found = await read_sqlite(connection)
    tables = tuple(each for each in found.tables if each.name not in OWN_TABLES)
    if invalid:
        tables = tuple(_without(each, invalid) for each in tables)
    return replace(found, tables=tables)


def _without(table: TableShape, invalid: Collection[tuple[str, str]]) -> TableShape:
    kept = (each for each in table.indexes if (table.name, each.name) not in invalid)
    return replace(table, indexes=tuple(kept))


async def digest(
    connection: Connection, dialect: Dialect, tables: Iterable[str]
) -> str:
    """Return what tells, in a moment, whether tables may have changed.

    On SQLite it is of the whole database: the number that counts its changes.
    Source: sqlite.org/pragma.html#pragma_schema_version.
    """
    if dialect.name == "sqlite":
        rows = await ask(connection, "PRAGMA schema_version")
    else:
        rows = await ask(connection, _DIGEST, [*tables])
    return str(rows[0][0])


async def weigh(
    connection: Connection, dialect: Dialect, touched: Collection[str]
) -> Facts:
    """Return what is to be known of tables; their rows are counted if *touched*."""
    if dialect.name == "postgresql":
        return await _weigh_postgresql(connection, touched)
    return await _weigh_sqlite(connection, touched)


async def _weigh_postgresql(connection: Connection, touched: Collection[str]) -> Facts:
    version = int(str((await ask(connection, "SHOW server_version_num"))[0][0]))
    found: dict[str, TableFacts] = {}
    not_nulls = await _by_table(connection, _NOT_NULLS, touched)
    counters = await _by_table(connection, _COUNTERS, touched)
    for name, about, invalid, unvalidated in await ask(connection, _SIZES):
        counted = await _count(connection, name) if name in touched else int(about)
        found[name] = TableFacts(
            rows=max(int(about), counted) if counted else 0,
            is_empty=not counted,
            invalid=frozenset(invalid),
            unvalidated=frozenset(unvalidated),
            not_nulls={row[0]: row[1] for row in not_nulls[name]},
            counters={column: _counter(said) for column, *said in counters[name]},
        )
    return Facts(version=(version // 10_000,), tables=found)


async def _by_table(
    connection: Connection, query: str, tables: Iterable[str]
) -> defaultdict[str, list[Sequence[Any]]]:
    found: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for table, *row in await ask(connection, query, sorted(tables)):
        found[table].append(row)
    return found


def _counter(row: Sequence[Any]) -> Counter:
    schema, name, start, increment, least, greatest, cache, is_cycling, last = row
    return Counter(
        schema=schema,
        name=name,
        start=start,
        increment=increment,
        least=least,
        greatest=greatest,
        cache=cache,
        is_cycling=is_cycling,
        last=last,
    )


async def _weigh_sqlite(connection: Connection, touched: Collection[str]) -> Facts:
    version = str((await ask(connection, "SELECT sqlite_version()"))[0][0])
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
    texts = {row[0]: row[1] for row in await ask(connection, query)}
    found: dict[str, TableFacts] = {}
    for name in sorted(touched):
        if name in texts:
            counted = await _count(connection, name)
            found[name] = TableFacts(
                rows=counted, is_empty=not counted, text=str(texts[name])
            )
    numbers = tuple(int(each) for each in version.split("."))
    return Facts(version=numbers, tables=found)


async def _count(connection: Connection, table: str) -> int:
    """Count rows, up to where a table is large."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM {quote(table)} LIMIT {LARGE}) AS t"
    return int((await ask(connection, query))[0][0])
