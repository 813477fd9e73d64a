"""Migrations of one database, from looking to going back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import final

import anyio
import msgspec

from ...drivers import GRACE_S, Connection, Driver
from ...errors import (
    BackupError,
    DriverError,
    MigrationFailedError,
    NothingToRollBackError,
)
from ...sql import Statement
from .._shape import Schema
from ._application import Application, OnStep, digest_of, planned, undo
from ._entry import Entry
from ._permission import Permission
from ._step import Plan, Step
from .applying import (
    Ledger,
    Runner,
    advisory_lock,
    defects,
    look,
    patiently,
    restore_postgresql,
    restore_sqlite,
    see_backup,
    see_sound,
)
from .planning import Target, is_quarantined
from .writing import purge_steps

__all__ = ["Migrator"]


@final
class Migrator:
    """Plans and applies migrations, and undoes them.

    Any number of processes may apply at once: one does, the others wait for it and
    find nothing to do.

    Args:
        driver: The connections to the database.
        target: What it is to become.
        drops: Tables to drop, and columns, as ``table.column``, that are dropped
            rather than renamed.
    """

    def __init__(
        self, driver: Driver, target: Target, *, drops: Collection[str] = ()
    ) -> None:
        self._driver = driver
        self._dialect = driver.dialect
        self._target = target
        self._drops = tuple(drops)

    # -- looking ----------------------------------------------------------------

    async def plan(self) -> Plan:
        """Return what there is to do; nothing is changed.

        Raises:
            HistoryEditedError: The ledger was edited.
            DriverError: The database could not be read.
        """
        async with self._driver.acquire(write=False) as connection:
            if await self._is_unchanged(connection):
                return Plan(dialect=self._dialect.name)
            return await self._plan(connection)

    async def check(self) -> Plan:
        """Return what there is to do, however sure the ledger is of itself.

        Raises:
            HistoryEditedError: The ledger was edited.
            DriverError: The database could not be read.
        """
        async with self._driver.acquire(write=False) as connection:
            return await self._plan(connection)

    async def entries(self) -> tuple[Entry, ...]:
        """Return what the ledger says of migrations before, in order.

        Raises:
            HistoryEditedError: It was edited.
            DriverError: The database could not be read.
        """
        async with self._driver.acquire(write=False) as connection:
            return await Ledger(connection, self._dialect).entries()

    async def quarantined(self) -> tuple[str, ...]:
        """Return what was dropped and is kept: tables, and columns with their tables.

        Raises:
            DriverError: The database could not be read.
        """
        async with self._driver.acquire(write=False) as connection:
            schema = await look(connection, self._dialect)
        return _quarantined(schema)

    async def _plan(self, connection: Connection) -> Plan:
        entries = await Ledger(connection, self._dialect).entries()
        return await planned(
            connection, self._driver, self._target, self._drops, entries
        )

    async def _is_unchanged(self, connection: Connection) -> bool:
        """Whether the ledger knows that database and models are as it left them."""
        if self._drops:
            return False
        fingerprint, noted = await Ledger(connection, self._dialect).last_digest()
        if not noted or fingerprint != self._target.fingerprint:
            return False
        return noted == await digest_of(connection, self._driver, self._target)

    # -- applying ---------------------------------------------------------------

    async def apply(
        self, permission: Permission, on_step: OnStep | None = None
    ) -> Entry | None:
        """Make the database what the models ask.

        On SQLite all steps are one transaction. On PostgreSQL each is one; if cancelled
        or killed, those before stay, and the next run goes on from there.

        Args:
            permission: What it may do.
            on_step: Told of each step that was done.

        Returns:
            What the ledger says of it, or None if there was nothing to do.

        Raises:
            MigrationBlockedError: What is to be done is not known.
            MigrationRiskError: A step is riskier than allowed.
            MigrationChangedError: Something else is to be done than was agreed to.
            MigrationCheckError: What is in the database does not allow it.
            MigrationFailedError: A step failed.
            BackupError: No backup could be made.
            HistoryEditedError: The ledger was edited.
            DriverError: The database could not be reached.
        """
        async with self._driver.acquire(write=False) as connection:
            if await self._is_unchanged(connection):
                return None
        async with self._driver.acquire() as connection, self._locked(connection):

            def application() -> Application:
                return Application(
                    self._driver,
                    connection,
                    self._target,
                    drops=self._drops,
                    permission=permission,
                    on_step=on_step,
                )

            if self._dialect.name == "postgresql":
                return await application().stepwise()

            async def at_once(_: float) -> Entry | None:
                async with connection.transaction():
                    return await application().at_once()

            return await patiently("begin the migration", at_once)

    @asynccontextmanager
    async def _locked(self, connection: Connection) -> AsyncGenerator[None]:
        """Keep other migrators out for the length of a block."""
        if self._dialect.name == "postgresql":
            async with advisory_lock(connection):
                yield
            return
        # Inside of a transaction this would do nothing at all, without a word.
        try:
            await connection.run([Statement("PRAGMA foreign_keys = OFF")])
            yield
        finally:
            with anyio.move_on_after(GRACE_S, shield=True):
                for name in ("legacy_alter_table = OFF", "foreign_keys = ON"):
                    await connection.run([Statement(f"PRAGMA {name}")])

    # -- going back -------------------------------------------------------------

    async def roll_back(self, *, has_restore: bool = False) -> Entry:
        """Undo the last migration that was applied.

        Steps are undone in reverse order, on SQLite in one transaction. Where that was
        interrupted, another call goes on. What was stored
        since in columns and tables that go is lost; see `EntryStep.is_lossy`.

        Args:
            has_restore: Give rows the values of the backup that was made before it. On
                SQLite the whole database becomes what it was, and what was written since
                is lost.

        Raises:
            NothingToRollBackError: There is none, or it has a step that nothing undoes.
            BackupError: It was made without a backup, or that is gone.
            MigrationFailedError: The database refused.
        """
        async with self._driver.acquire() as connection, self._locked(connection):
            ledger = Ledger(connection, self._dialect)
            entry = _last_applied(await ledger.entries())
            if has_restore and not entry.backup:
                reason = f"migration {entry.number} was made without one"
                raise BackupError(reason)
            if has_restore and self._dialect.name == "postgresql":
                await see_backup(connection, entry.backup)
            if self._dialect.name == "postgresql":
                return await self._undo_stepwise(
                    connection, ledger, entry, has_restore=has_restore
                )
            if not has_restore:
                return await self._undo_at_once(connection, ledger, entry)
        await restore_sqlite(self._driver.url, entry.backup)
        return msgspec.structs.replace(entry, state="rolled back")

    async def _undo_at_once(
        self, connection: Connection, ledger: Ledger, entry: Entry
    ) -> Entry:
        async with connection.transaction():
            before = await defects(connection)
            await self._undo(connection, ledger, entry)
            await see_sound(connection, before)
            return await ledger.finish(entry, "rolled back")

    async def _undo_stepwise(
        self,
        connection: Connection,
        ledger: Ledger,
        entry: Entry,
        *,
        has_restore: bool,
    ) -> Entry:
        await self._undo(connection, ledger, entry)
        if has_restore:
            async with connection.transaction():
                actual = await look(connection, self._dialect)
                await restore_postgresql(connection, entry.backup, actual)
        return await ledger.finish(entry, "rolled back")

    async def _undo(self, connection: Connection, ledger: Ledger, entry: Entry) -> None:
        """Undo the steps that are done, the last one first."""
        runner = Runner(connection, self._dialect, self._target.fills)
        for number, step in reversed([*enumerate(entry.steps)]):
            if number not in entry.durations:
                continue  # undone by one who did not come to the end
            undone = ledger.undone(entry, number)
            try:
                await undo(runner, step.undo, step.description, undone)
            except DriverError as error:
                what = f"undo: {step.description}"
                outcome = "nothing was undone"
                if self._dialect.name == "postgresql":
                    outcome = "steps behind it are undone: try again for the rest"
                raise MigrationFailedError(what, str(error), outcome) from error

    async def purge(self) -> tuple[str, ...]:
        """Drop for good what is in quarantine, and return what that was.

        Nothing brings it back, so migrations before it can no longer be undone. It is
        all or nothing.

        Raises:
            MigrationFailedError: The database refused.
        """
        async with self._driver.acquire() as connection, self._locked(connection):
            names = _quarantined(await look(connection, self._dialect))
            steps = purge_steps(names, self._dialect.name)
            if steps:
                async with connection.transaction():
                    await self._purge(connection, steps)
        return names

    async def _purge(self, connection: Connection, steps: Sequence[Step]) -> None:
        ledger = Ledger(connection, self._dialect)
        entries = await ledger.entries()
        await ledger.create()
        last = entries[-1] if entries else None
        fingerprint, names = (last.fingerprint, last.names) if last else ("", ())
        entry = await ledger.begin(entries, fingerprint, steps, names)
        for number, step in enumerate(steps):
            start = perf_counter()
            try:
                await connection.run([Statement(text) for text in step.work.sql])
            except DriverError as error:
                outcome = "nothing was purged"
                raise MigrationFailedError(
                    step.description, str(error), outcome
                ) from error
            seconds = perf_counter() - start
            await connection.run([ledger.stepped(entry, number, seconds)])
        await ledger.finish(entry, "applied")


def _quarantined(schema: Schema) -> tuple[str, ...]:
    tables = [each.name for each in schema.tables if is_quarantined(each.name)]
    columns = [
        f"{table.name}.{column.name}"
        for table in schema.tables
        for column in table.columns
        if is_quarantined(column.name) and not is_quarantined(table.name)
    ]
    return (*tables, *columns)


def _last_applied(entries: Sequence[Entry]) -> Entry:
    for entry in reversed(entries):
        if entry.state == "applied" and entry.steps:
            fixed = [each.description for each in entry.steps if each.undo is None]
            if fixed:
                reason = f"nothing undoes: {'; '.join(fixed)}"
                raise NothingToRollBackError(reason)
            return entry
    reason = "no migration was applied to this database"
    raise NothingToRollBackError(reason)
