"""One migrator at a time, and patience with locks of others."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import anyio

from ....drivers import GRACE_S, Connection
from ....errors import ConnectionLostError, TransactionConflictError
from ....sql import Statement
from ....telemetry import get_log
from ._look import ask

__all__ = ["advisory_lock", "patiently"]

T = TypeVar("T")

LOCK_TIMEOUT_S: Final = 0.05
"""Seconds a step waits for the lock on a table, and holds up those who come later."""

LONGEST_LOCK_TIMEOUT_S: Final = 2.0
"""The same for the last of its attempts, where readers never leave a gap so long."""

ATTEMPTS: Final = 36
"""How often a step asks for a lock before the migration fails, in about 20 s."""

_BRIEF_ATTEMPTS: Final = 30
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.1

_KEY: Final = (
    "hashtextextended('dataflow migrations' || "
    "coalesce(' ' || nullif(current_schema(), 'public'), ''), 0)"
)
"""Of the schema with the ledger: those of different tenants do not wait for each other."""

log = get_log("dataflow.migrations")


@asynccontextmanager
async def advisory_lock(connection: Connection) -> AsyncGenerator[None]:
    """Hold the lock of migrators on PostgreSQL for the length of a block.

    It is asked for again and again rather than waited for: whoever waits inside of a
    statement holds a snapshot, and an index that is made concurrently waits for all of
    those. The lock belongs to the session, so it ends with a process that dies.
    """
    while True:
        rows = await ask(connection, f"SELECT pg_try_advisory_lock({_KEY})")
        if rows[0][0]:
            break
        await anyio.sleep(random.uniform(0.5, 1.5) * _LOOK_EVERY_S)  # noqa: S311
    try:
        yield
    finally:
        with anyio.move_on_after(GRACE_S, shield=True):
            await _unlock(connection)


async def _unlock(connection: Connection) -> None:
    text = f"SELECT pg_advisory_unlock({_KEY})"
    try:
        await connection.run([Statement(text, returns_rows=True)])
    except ConnectionLostError:
        return  # and with it the lock


def lock_timeout_s(attempt: int) -> float:
    """Return how long to wait for a lock: briefly at first, longer in the end.

    Args:
        attempt: Counted from 1.
    """
    longer = 1 << max(0, attempt - _BRIEF_ATTEMPTS)
    return min(LONGEST_LOCK_TIMEOUT_S, LOCK_TIMEOUT_S * longer)


async def patiently(what: str, function: Callable[[float], Awaitable[T]]) -> T:
    """Call *function* again while somebody else holds a lock it needs.

    Between two attempts is a growing pause, in which others get by.

    Args:
        what: What it does, for the log.
        function: Is given how long it may wait for a lock, in seconds.

    Raises:
        TransactionConflictError: All attempts failed.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await function(lock_timeout_s(attempt))
        except TransactionConflictError as error:
            if attempt == ATTEMPTS:
                raise
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
            pause_s *= random.random()  # noqa: S311  # so that many do not come at once
            log.info("migration_waits", step=what, attempt=attempt, code=error.code)
        await anyio.sleep(pause_s)
    raise AssertionError  # pragma: no cover  # the last attempt returns or raises
