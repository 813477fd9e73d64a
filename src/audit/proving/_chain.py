"""The chain: each leaf holds the hash of the one before, and of what it records.

The hash of a leaf is over all of its columns; with a key it is an HMAC, which nobody
makes who does not have it. What was recorded goes in as one hash over those of all
records of the transaction, in their order. PostgreSQL makes these itself, so records do
not travel.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

import msgspec

from ...drivers import Connection
from ...sql import POSTGRESQL, Dialect, Statement
from ..recording import RECORDS, AuditTables

__all__ = ["EVENTS_FORM", "Leaf", "digest_text", "events_of"]

EVENTS_FORM: Final = "2:"
"""Begins a hash over hashes of records; one of before is over their text."""

_LINE: Final = (
    "coalesce(model, '') || {us} || coalesce(op, '') || {us} || coalesce(key, '') || {us} "
    "|| coalesce(old, '') || {us} || coalesce(new, '') || {us} || n"
)
"""Values are JSON, which holds none of the characters between and behind them."""

_KEYS: Final = " || {us} || coalesce({keys}, '')"

_PAGE: Final = 64
"""Records that are read at once: a megabyte or two."""


def digest_text(leaf: str, tables: AuditTables) -> str:
    """Return a query of PostgreSQL: how many events a leaf has, and their hash.

    Args:
        leaf: The place of its parameter.
        tables: Those of the audit.
    """
    line = (_LINE + _KEYS).format(us="chr(31)", keys="keys::text")
    return (
        "SELECT coalesce(sum(n), 0)::bigint AS n_events, "
        f"'{EVENTS_FORM}' || encode(sha256(coalesce(string_agg(sha256(convert_to({line}, "
        "'UTF8')), ''::bytea ORDER BY id), ''::bytea)), 'hex') AS events "
        f"FROM {tables.records} WHERE leaf = {leaf}"
    )


async def events_of(
    connection: Connection,
    dialect: Dialect,
    tables: AuditTables,
    leaf: str,
    form: str = EVENTS_FORM,
) -> tuple[int, str]:
    """Return how many events a leaf has, and their hash.

    Args:
        connection: Where.
        dialect: Of that.
        tables: Those of the audit.
        leaf: Its id.
        form: A hash of the form that is wanted.
    """
    if not form.startswith(EVENTS_FORM):
        statement = _old_statement(leaf, dialect, tables)
        (told,) = await connection.run((statement,))
        count, events = told.rows[0]
        is_hash = dialect is POSTGRESQL
        return count, events if is_hash else sha256(events.encode()).hexdigest()
    if dialect is POSTGRESQL:
        text = digest_text("$1", tables)
        statement = Statement(text, (leaf,), returns_rows=True)
        (told,) = await connection.run((statement,))
        n_events, events = told.rows[0]
        return n_events, events
    return await _hashed_here(connection, leaf)


async def _hashed_here(connection: Connection, leaf: str) -> tuple[int, str]:
    """Read the records of a leaf, for a database that makes no hashes."""
    line = (_LINE + _KEYS).format(us="char(31)", keys="keys")
    text = (
        f"SELECT id, n, {line} FROM {RECORDS} WHERE leaf = ?1 AND id > ?2 "
        f"ORDER BY id LIMIT {_PAGE}"
    )
    n_events, last, hashes = 0, 0, sha256()
    while True:
        page = Statement(text, (leaf, last), returns_rows=True)
        (told,) = await connection.run((page,))
        for last, n_rows, record in told.rows:  # noqa: B007  the last of them
            n_events += n_rows
            hashes.update(sha256(record.encode()).digest())
        if len(told.rows) < _PAGE:
            return n_events, EVENTS_FORM + hashes.hexdigest()


def _old_statement(leaf: str, dialect: Dialect, tables: AuditTables) -> Statement:
    """Select how many events a leaf of before has, and their hash or their text."""
    if dialect is POSTGRESQL:
        line = _LINE.format(us="chr(31)")
        text = (
            "SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(line, "
            f"chr(10)), ''), 'UTF8')), 'hex') FROM (SELECT {line} AS line FROM "
            f"{tables.records} WHERE leaf = $1 ORDER BY id) AS lines"
        )
    else:
        line = _LINE.format(us="char(31)")
        text = (
            f"SELECT count(*), coalesce(group_concat(line, char(10)), '') FROM (SELECT "
            f"{line} AS line FROM {RECORDS} WHERE leaf = ?1 ORDER BY id)"
        )
    return Statement(text, (leaf,), returns_rows=True)


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """What is recorded of one transaction.

    Attributes:
        lane: Name of the model.
        seq: Its place in the chain of that, from 1.
        leaf: Its id, which the records have, too.
        at: When it was written, in UTC.
        facts: Who, why and by what, as JSON.
        n_events: How many events it has.
        events: Hash of these.
        previous: Hash of the leaf before; empty for the first.
    """

    lane: str
    seq: int
    leaf: str
    at: str
    facts: str
    n_events: int
    events: str
    previous: str

    def hash(self, key: bytes | None) -> str:
        """Return what the next leaf holds of this one."""
        told = msgspec.json.encode(self)
        if key is None:
            return sha256(told).hexdigest()
        return hmac.new(key, told, sha256).hexdigest()
