"""Whether names in raw SQL are tables of their own.

A view, or a part of another table, has rows of tables that the text does not name.
"""

from __future__ import annotations

from typing import Final

from ...drivers import Connection
from ...sql import POSTGRESQL, Dialect, Statement, Terms

__all__ = ["check_tables"]

# Of every schema: which one is meant, the search path decides.
_POSTGRESQL: Final = """
SELECT 1 FROM pg_catalog.pg_class AS c WHERE c.relname = ANY($1) AND (
    c.relkind NOT IN ('r', 'p') OR c.relispartition
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid)
) LIMIT 1
"""
_SQLITE: Final = """
SELECT 1 FROM (
    SELECT name, type FROM main.sqlite_master
    UNION ALL SELECT name, type FROM temp.sqlite_master
) WHERE lower(name) = ?1 AND type <> 'table' LIMIT 1
"""


async def check_tables(connection: Connection, dialect: Dialect, terms: Terms) -> None:
    """Check that the names that terms hold are tables, or nothing.

    Raises:
        Exception: One is not; what the terms say.
    """
    names = terms.tables
    if not names:
        return
    if dialect is POSTGRESQL:
        statements = [Statement(_POSTGRESQL, (list(names),), returns_rows=True)]
    else:
        statements = [Statement(_SQLITE, (name,), returns_rows=True) for name in names]
    results = await connection.run(statements)
    if any(result.rows for result in results):
        raise terms.not_a_table()
