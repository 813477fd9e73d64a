"""The tables of the audit, one set for each database, or schema of a tenant.

``dataflow_audit`` has the records of what changed; ``dataflow_audit_leaves`` one row for
each transaction, chained for each model; ``dataflow_audit_heads`` the last of each chain.
On SQLite ``dataflow_audit_keys`` finds records by the keys of their rows, and each model
has a buffer, see `_sqlite`; on PostgreSQL an index of the same name does.

A record holds up to `ROWS_IN_RECORD` rows of one transaction:

* ``op``: ``insert``, ``update`` or ``delete``; where they differ, a list in JSON.
* ``n``: how many rows.
* ``keys``: a key for each row, in order.
* ``old``, ``new``: in JSON, for each field the values of all rows in order, or by
  place those of the rows that have one. So a thousand rows cost little more than one.
  What is personal stands sealed in a column of its own, see `sealing`.

``dataflow_subject_keys`` has a key for each person of whom something personal is
recorded, wrapped by a key that the application holds. It is no part of the chains: with
a key deleted, what it sealed can be read by nobody, and every hash still holds.

Records of before hold one row, with ``key``, and have no ``keys``; a summary has
neither.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from ...sql import POSTGRESQL, Dialect, Statement

__all__ = [
    "KEYS",
    "LEAF_SETTING",
    "RECORDS",
    "ROWS_IN_RECORD",
    "AuditTables",
    "audit_tables",
    "table_statements",
    "there_statement",
    "upgrade_statement",
]

RECORDS: Final = "dataflow_audit"
KEYS: Final = "dataflow_audit_keys"
LEAF_SETTING: Final = "dataflow.audit_leaf"

ROWS_IN_RECORD: Final = 500
"""Who asks for one row reads all of its record: half a millisecond for so many."""

_PENDING_KIB: Final = 1024
"""What waits unsorted in the index of keys. Whoever fills it up sorts it, about 20 ms;
who looks for a key reads all of it."""

_KEPT: Final = 1024
"""Schemas of which the names are kept."""

_COLUMNS: Final = (
    "leaf text, model text NOT NULL, op text NOT NULL, key text, old text, new text, "
    "n bigint NOT NULL DEFAULT 1"
)


class AuditTables(msgspec.Struct, frozen=True):
    """The tables of the audit of one place, as statements name them.

    Attributes:
        records: What changed.
        leaves: One row for each transaction.
        heads: The last leaf of each chain.
        subject_keys: A key for each person.
    """

    records: str
    leaves: str
    heads: str
    subject_keys: str


@lru_cache(_KEPT)
def audit_tables(schema: str | None = None) -> AuditTables:
    """Return the tables of the audit in a schema; None for where plain names lead."""
    prefix = "" if schema is None else f"{POSTGRESQL.quote(schema)}."
    return AuditTables(
        records=f"{prefix}{RECORDS}",
        leaves=f"{prefix}dataflow_audit_leaves",
        heads=f"{prefix}dataflow_audit_heads",
        subject_keys=f"{prefix}dataflow_subject_keys",
    )


def _shared(tables: AuditTables) -> tuple[str, ...]:
    return (
        f"CREATE INDEX IF NOT EXISTS {RECORDS}_leaf ON {tables.records} (leaf, id)",
        (
            f"CREATE INDEX IF NOT EXISTS {RECORDS}_key ON {tables.records} (model, key, "
            "id) WHERE key IS NOT NULL"
        ),
        (
            f"CREATE TABLE IF NOT EXISTS {tables.leaves} (lane text NOT NULL, seq bigint "
            "NOT NULL, leaf text NOT NULL UNIQUE, at text NOT NULL, facts text NOT NULL, "
            "n_events bigint NOT NULL, events text NOT NULL, previous text NOT NULL, "
            "hash text NOT NULL, PRIMARY KEY (lane, seq))"
        ),
        (
            f"CREATE TABLE IF NOT EXISTS {tables.heads} (lane text PRIMARY KEY, seq "
            "bigint NOT NULL, hash text NOT NULL)"
        ),
    )


def there_statement(dialect: Dialect, schema: str | None) -> Statement:
    """Ask whether all of it is there, in its present form."""
    name = audit_tables(schema).subject_keys
    if dialect is POSTGRESQL:
        return Statement(
            "SELECT to_regclass($1) IS NOT NULL", (name,), returns_rows=True
        )
    text = f"SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{name}')"
    return Statement(text, returns_rows=True)


def upgrade_statement(dialect: Dialect, schema: str | None) -> Statement:
    """Ask whether the table of records is one of before, which has no ``keys``."""
    name = audit_tables(schema).records
    if dialect is POSTGRESQL:
        text = (
            "SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
            "pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'keys')"
        )
        return Statement(text, (name,), returns_rows=True)
    text = (
        f"SELECT EXISTS (SELECT 1 FROM pragma_table_info('{name}')) AND NOT EXISTS "
        f"(SELECT 1 FROM pragma_table_info('{name}') WHERE name = 'keys')"
    )
    return Statement(text, returns_rows=True)


def table_statements(
    dialect: Dialect, schema: str | None, *, is_upgrade: bool
) -> list[Statement]:
    """Return the statements that create what is missing, in order."""
    tables = audit_tables(schema)
    is_postgresql = dialect is POSTGRESQL
    keys = "keys text[]" if is_postgresql else "keys text"
    key = "integer PRIMARY KEY AUTOINCREMENT"  # never used twice
    if is_postgresql:
        key = "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    if is_upgrade:
        first = f"ALTER TABLE {tables.records} ADD COLUMN {keys}"
    else:
        made = f"(id {key}, {_COLUMNS}, {keys})"
        first = f"CREATE TABLE IF NOT EXISTS {tables.records} {made}"
    if is_postgresql:
        last = (
            f"CREATE INDEX IF NOT EXISTS {KEYS} ON {tables.records} USING gin (keys) "
            f"WITH (gin_pending_list_limit = {_PENDING_KIB}) WHERE keys IS NOT NULL"
        )
    else:
        # Without types: numbers stay numbers, so that keys which grow are appended.
        last = (
            f"CREATE TABLE IF NOT EXISTS {KEYS} (model text NOT NULL, key NOT NULL, "
            "record integer NOT NULL, PRIMARY KEY (model, key, record)) WITHOUT ROWID"
        )
    subjects = (
        f"CREATE TABLE IF NOT EXISTS {tables.subject_keys} (id {key}, subject text NOT "
        "NULL UNIQUE, master text NOT NULL, wrapped text NOT NULL)"
    )
    return [Statement(text) for text in (first, *_shared(tables), last, subjects)]
