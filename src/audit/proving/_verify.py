"""Looking whether the audit is as it was written."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from ...drivers import Connection, Driver
from ...errors import AuditBrokenError
from ...sql import POSTGRESQL, SQLITE, Statement
from ..recording import BUFFER, KEYS, RECORDS, AuditTables, audit_tables
from ._chain import Leaf, events_of
from ._checkpoint import HEAD_ROWS, Marks, latest

__all__ = ["Verification", "Verifications", "verify"]

_PAGE: Final = 500
"""Leaves that are looked at at once."""

_COUNTS: Final = (
    "SELECT lane, count(*), max(seq) FROM {t.leaves} GROUP BY lane ORDER BY lane"
)
_ORPHANS: Final = (
    "SELECT leaf FROM {t.records} AS e WHERE leaf IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM {t.leaves} AS l WHERE l.leaf = e.leaf) LIMIT 1"
)
_OUTSIDE: Final = (
    "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM {t.records} WHERE leaf IS NULL"
)
_BUFFERS: Final = Statement(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND "
    f"name LIKE '{BUFFER.replace('_', '~_')}%' ESCAPE '~'",
    returns_rows=True,
)
_INDEX: Final = Statement(
    f"SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '{KEYS}')",
    returns_rows=True,
)
_LOST: Final = Statement(
    f"SELECT e.model, e.id FROM {RECORDS} AS e, json_each(e.keys) AS j WHERE j.value IS NOT "
    f"NULL AND NOT EXISTS (SELECT 1 FROM {KEYS} AS k WHERE k.model = e.model AND "
    "k.key = j.value AND k.record = e.id) LIMIT 1",
    returns_rows=True,
)
"""Records of SQLite that history would not show: their keys are in another table."""

_EXTRA: Final = Statement(
    f"SELECT (SELECT count(*) FROM {KEYS}) - (SELECT coalesce(sum(n), 0) FROM (SELECT "
    f"count(DISTINCT j.value) AS n FROM {RECORDS} AS e, json_each(e.keys) AS j "
    "GROUP BY e.id))",
    returns_rows=True,
)
"""How many more keys there are than records have; next to `_LOST`, which finds less."""

_STRAY: Final = Statement(
    f"SELECT k.model, k.record FROM {KEYS} AS k WHERE NOT EXISTS (SELECT 1 FROM {RECORDS} "
    "AS e, json_each(e.keys) AS j WHERE e.id = k.record AND e.model = k.model AND "
    "j.value = k.key) LIMIT 1",
    returns_rows=True,
)
"""One of these. It reads a record for each key, so it is asked if there is one."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in an audit that is as it was written.

    Attributes:
        heads: The number of leaves by model.
        n_events: Events that belong to them.
        n_outside: Events of writes that did not come by nodes: nobody knows whose.
    """

    heads: Mapping[str, int]
    n_events: int
    n_outside: int


class Verifications(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in audits that are as they were written.

    Attributes:
        shared: In that of the database itself; None if it was left out.
        tenants: In those of tenants, by name.
    """

    shared: Verification | None
    tenants: Mapping[str, Verification]


async def verify(
    driver: Driver, key: bytes | None, known: Marks = MappingProxyType({})
) -> Verification:
    """Look at every leaf and every event, as of one moment.

    Args:
        driver: Where the audit is.
        key: That with which it was written, or None.
        known: What checkpoints say of it, see `read_checkpoints`.

    Raises:
        AuditBrokenError: Something was changed, left out, put in or cut off; names
            the first place.
    """
    async with (
        driver.acquire(write=False) as connection,
        connection.transaction(),
    ):
        if driver.dialect is POSTGRESQL:
            text = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
            await connection.run((Statement(text),))
        return await _verify(connection, driver, key, known)


async def _verify(
    connection: Connection,
    driver: Driver,
    key: bytes | None,
    known: Marks,
) -> Verification:
    tables = audit_tables()
    counted, orphaned, left_out = (
        Statement(text.format(t=tables), returns_rows=True)
        for text in (_COUNTS, _ORPHANS, _OUTSIDE)
    )
    heads, counts = await connection.run((HEAD_ROWS, counted))
    last = {lane: (seq, hash_) for lane, seq, hash_ in heads.rows}
    for lane, _, seq in counts.rows:
        if lane not in last:
            raise AuditBrokenError(lane, seq, "has lost the head of its chain")
    n_events = 0
    for lane, (seq, hash_) in last.items():
        n_events += await _walk(
            connection, driver, tables, key, lane, (seq, hash_), known
        )
    for lane, marks in known.items():
        if latest(marks) and lane not in last:
            raise AuditBrokenError(lane, 1, "was there once, and is gone")
    orphans, outside = await connection.run((orphaned, left_out))
    if orphans.rows:
        place = "an event"
        raise AuditBrokenError(place, 0, "belongs to a leaf that is not there")
    n_outside = outside.rows[0][0]
    if driver.dialect is not POSTGRESQL:
        n_outside += await _look_into_sqlite(connection)
    return Verification(
        heads={lane: seq for lane, (seq, _) in last.items()},
        n_events=n_events,
        n_outside=n_outside,
    )


async def _look_into_sqlite(connection: Connection) -> int:
    """Look whether keys find their records; return how many changes wait in buffers."""
    there, buffers = await connection.run((_INDEX, _BUFFERS))
    if not there.rows[0][0]:
        place = f"the index {KEYS}"
        raise AuditBrokenError(place, 0, "is not there")
    lost, extra = await connection.run((_LOST, _EXTRA))
    for lane, record in lost.rows:
        problem = f"has a record ({record}) that its keys in {KEYS} do not find"
        raise AuditBrokenError(lane, 0, problem)
    if extra.rows[0][0]:
        (stray,) = await connection.run((_STRAY,))
        lane, record = stray.rows[0]
        problem = f"has a key in {KEYS} that finds a record ({record}) of another row"
        raise AuditBrokenError(lane, 0, problem)
    counts = [
        Statement(f"SELECT count(*) FROM {SQLITE.quote(name)}", returns_rows=True)
        for (name,) in buffers.rows
    ]
    results = await connection.run(counts) if counts else []
    return sum(int(each.rows[0][0]) for each in results)


async def _walk(  # noqa: PLR0917  a chain has that many ends
    connection: Connection,
    driver: Driver,
    tables: AuditTables,
    key: bytes | None,
    lane: str,
    head: tuple[int, str],
    known: Marks,
) -> int:
    """Follow one chain from its first leaf to its head; return how many events it has."""
    dialect, previous, at, n_events = driver.dialect, "", 0, 0
    one, two = dialect.place(1), dialect.place(2)
    names = ", ".join(Leaf.__struct_fields__)
    text = (
        f"SELECT {names}, hash FROM {tables.leaves} WHERE lane = {one} AND seq > {two} "
        f"ORDER BY seq LIMIT {_PAGE}"
    )
    marks = known.get(lane, {})
    while True:
        page = Statement(text, (lane, at), returns_rows=True)
        (leaves,) = await connection.run((page,))
        if not leaves.rows:
            break
        for row in leaves.rows:
            *values, hash_ = row
            leaf = Leaf(*values)
            if leaf.seq != at + 1:
                raise AuditBrokenError(lane, at + 1, "is not there")
            if leaf.previous != previous:
                raise AuditBrokenError(lane, leaf.seq, "does not follow the one before")
            if not hmac.compare_digest(leaf.hash(key), hash_):
                problem = "was changed, or written with another key"
                raise AuditBrokenError(lane, leaf.seq, problem)
            found = await events_of(connection, dialect, tables, leaf.leaf, leaf.events)
            if found != (leaf.n_events, leaf.events):
                raise AuditBrokenError(lane, leaf.seq, "has other events than it had")
            at, previous, n_events = leaf.seq, hash_, n_events + leaf.n_events
            if marks.get(at, hash_) != hash_:
                raise AuditBrokenError(lane, at, "is another one than once")
    if (at, previous) != head or at < latest(marks):
        raise AuditBrokenError(lane, at + 1, "was cut off")
    return n_events
