"""The ledger: which migrations were done to this database, and how far.

Rules of this file:

1. An entry names its parent by checksum, and its own checksum covers what was done. An
   entry that was edited, or is missing in the middle, is found by reading on.
2. What changes of an entry (its state, times, the digest) is not covered.
3. A step is entered with what it does: in its transaction, or right behind it. What
   undoes a step takes that back, so whoever goes on undoing knows what is left.
4. There is at most one entry ``applying``. Whoever holds the lock and finds one knows
   that its process died: the entry becomes ``interrupted``, and the next plan finishes
   what it began.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from ....drivers import Connection
from ....errors import HistoryEditedError
from ....sql import Dialect, Statement
from .._entry import Entry, EntryStep, State
from .._risk import Risk
from .._step import Step
from ._look import ask

__all__ = ["LEDGER", "STEPS", "Ledger"]

LEDGER: Final = "dataflow_migrations"
STEPS: Final = "dataflow_migration_steps"

_COLUMNS: Final = (
    "number",
    "parent",
    "checksum",
    "state",
    "fingerprint",
    "steps",
    "names",
    "who",
    "started_at",
    "finished_at",
    "error",
    "backup",
    "digest",
)
_COVERED: Final = ("fingerprint", "steps", "names")
"""Columns that the checksum covers, beside that of the parent."""

_TEXTS: Final = ", ".join(f"{name} text NOT NULL" for name in _COLUMNS[1:])
_CREATE: Final = (
    f"CREATE TABLE {LEDGER} (number bigint NOT NULL PRIMARY KEY, {_TEXTS})",
    (
        f"CREATE TABLE {STEPS} (migration bigint NOT NULL, number bigint NOT NULL, "
        "duration_s double precision NOT NULL, finished_at text NOT NULL, "
        "PRIMARY KEY (migration, number))"
    ),
)
_EXISTS: Final = {
    "postgresql": f"SELECT to_regclass('{LEDGER}') IS NOT NULL",
    "sqlite": f"SELECT count(*) FROM sqlite_master WHERE name = '{LEDGER}'",
}


class Ledger:
    """Reads and writes entries over one connection.

    Args:
        connection: Over which.
        dialect: What it speaks.
    """

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    async def is_there(self) -> bool:
        """Whether there is a ledger."""
        return bool((await ask(self._connection, _EXISTS[self._dialect.name]))[0][0])

    async def create(self) -> None:
        """Make the tables, unless they are there."""
        if not await self.is_there():
            await self._connection.run([Statement(text) for text in _CREATE])

    async def entries(self) -> tuple[Entry, ...]:
        """Return all entries in order; none where there is no ledger.

        Raises:
            HistoryEditedError: They are not as they were written.
        """
        rows = await self._rows()
        if not rows:
            return ()
        query = f"SELECT migration, number, duration_s FROM {STEPS}"
        durations: dict[int, dict[int, float]] = {}
        for migration, number, seconds in await ask(self._connection, query):
            durations.setdefault(migration, {})[number] = seconds
        return tuple(_entry(row, durations.get(row[0], {})) for row in rows)

    async def _rows(self) -> Sequence[Sequence[Any]]:
        """Return all entries as they are stored, and see that nobody edited them."""
        if not await self.is_there():
            return ()
        query = f"SELECT {', '.join(_COLUMNS)} FROM {LEDGER} ORDER BY number"
        rows = await ask(self._connection, query)
        _verify(rows)
        return rows

    async def last_digest(self) -> tuple[str, str]:
        """Return fingerprint and digest of the last migration, if it was applied.

        Raises:
            HistoryEditedError: The entries are not as they were written.
        """
        rows = await self._rows()
        last = dict(zip(_COLUMNS, rows[-1], strict=True)) if rows else {}
        if last.get("state") != "applied":
            return "", ""
        return last["fingerprint"], last["digest"]

    async def begin(
        self,
        entries: Sequence[Entry],
        fingerprint: str,
        steps: Iterable[Step],
        names: Iterable[str],
    ) -> Entry:
        """Enter a migration that begins; one that was interrupted is called so."""
        parent = entries[-1].checksum if entries else ""
        noted, names = tuple(map(_noted, steps)), tuple(sorted(names))
        entry = Entry(
            number=entries[-1].number + 1 if entries else 1,
            parent=parent,
            checksum=_checksum(parent, fingerprint, _json(noted), _json(names)),
            state="applying",
            fingerprint=fingerprint,
            steps=noted,
            names=names,
            who=_who(),
            started_at=_now(),
        )
        interrupted = self._statement(
            f"UPDATE {LEDGER} SET state = {{}} WHERE state = {{}}",
            "interrupted",
            "applying",
        )
        await self._connection.run([interrupted, self._insertion(entry)])
        return entry

    def stepped(self, entry: Entry, number: int, seconds: float) -> Statement:
        """Return the statement that enters a step as done."""
        return self._statement(
            f"INSERT INTO {STEPS} (migration, number, duration_s, finished_at) "
            "VALUES ({}, {}, {}, {})",
            entry.number,
            number,
            seconds,
            _now(),
        )

    def undone(self, entry: Entry, number: int) -> Statement:
        """Return the statement that enters a step as not done any more."""
        text = f"DELETE FROM {STEPS} WHERE migration = {{}} AND number = {{}}"
        return self._statement(text, entry.number, number)

    async def finish(self, entry: Entry, state: State, **facts: str) -> Entry:
        """Enter what became of a migration, and more facts by the name of the column."""
        facts = {"state": state, "finished_at": _now(), **facts}
        changes = ", ".join(f"{name} = {{}}" for name in facts)
        text = f"UPDATE {LEDGER} SET {changes} WHERE number = {{}}"
        await self._connection.run(
            [self._statement(text, *facts.values(), entry.number)]
        )
        return msgspec.structs.replace(entry, **facts)

    async def note_digest(self, digest: str) -> None:
        """Note for the last entry that the database is as it left it."""
        text = (
            f"UPDATE {LEDGER} SET digest = {{}} "
            f"WHERE number = (SELECT max(number) FROM {LEDGER})"
        )
        await self._connection.run([self._statement(text, digest)])

    def _insertion(self, entry: Entry) -> Statement:
        values = [getattr(entry, name) for name in _COLUMNS]
        values[_COLUMNS.index("steps")] = _json(entry.steps)
        values[_COLUMNS.index("names")] = _json(entry.names)
        places = ", ".join(["{}"] * len(_COLUMNS))
        text = f"INSERT INTO {LEDGER} ({', '.join(_COLUMNS)}) VALUES ({places})"
        return self._statement(text, *values)

    def _statement(self, text: str, *values: object) -> Statement:
        places = [self._dialect.place(number + 1) for number in range(len(values))]
        return Statement(text.format(*places), values)


def _noted(step: Step) -> EntryStep:
    return EntryStep(
        description=step.description,
        table=step.table,
        risk=Risk(step.risk).name,
        sql=tuple(step.sql_up.splitlines()) if step.work.backfill else step.work.sql,
        undo=step.undo,
        is_lossy=step.is_lossy,
    )


def _entry(row: Sequence[Any], durations: dict[int, float]) -> Entry:
    facts = dict(zip(_COLUMNS, row, strict=True))
    try:
        facts["steps"] = msgspec.json.decode(facts["steps"], type=tuple[EntryStep, ...])
        facts["names"] = msgspec.json.decode(facts["names"], type=tuple[str, ...])
    except msgspec.MsgspecError:
        raise HistoryEditedError(facts["number"]) from None
    return Entry(**facts, durations=durations)


def _verify(rows: Iterable[Sequence[Any]]) -> None:
    """See that every entry is as it was written, to the byte."""
    parent = ""
    for number, row in enumerate(rows, 1):
        said = dict(zip(_COLUMNS, row, strict=True))
        checksum = _checksum(parent, *(said[each] for each in _COVERED))
        wanted = number, parent, checksum
        if wanted != (said["number"], said["parent"], said["checksum"]):
            raise HistoryEditedError(int(said["number"]))
        parent = checksum


def _checksum(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()  # no f-string


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getpid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
