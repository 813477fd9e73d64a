"""Migrations of one database, from looking to rolling back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, final

import anyio
import msgspec

from ...drivers import GRACE_S, Connection, Driver
from ...errors import (
    BackupError,
    ConnectionLostError,
    DataFlowError,
    DriverError,
    MigrationBlockedError,
    MigrationChangedError,
    MigrationCheckError,
    MigrationFailedError,
    MigrationRiskError,
    NothingToRollBackError,
)
from ...sql import Statement
from ...telemetry import get_log
from ._planner import plan_for
from ._risk import Risk
from ._step import Plan, Proof, Step, Work
from .applying import (
    Entry,
    Ledger,
    Runner,
    advisory_lock,
    ask,
    back_up_postgresql,
    back_up_sqlite,
    digest,
    look,
    patiently,
    restore_postgresql,
    restore_sqlite,
)
from .planning import PREFIX, Target, is_quarantined, names_in
from .writing import quote

__all__ = ["Migrator", "OnStep", "Permission"]

OnStep = Callable[[Step, int, float], object]
"""Told of each step that was done: the step, its number from 0, its seconds."""

log = get_log("dataflow.migrations")

_BROKEN_KEYS: Final = (
    'SELECT "table", rowid, parent, fkid FROM pragma_foreign_key_check'
)
_VIEWS: Final = "SELECT name FROM sqlite_master WHERE type = 'view'"


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration may do.

    Attributes:
        limit: The greatest risk of a step.
        agreed: Checksum of the plan that somebody agreed to; None for any.
        has_backup: Whether a backup is made first.
        is_rolled_back: Whether a failure undoes the steps before it.
    """

    limit: Risk = Risk.HIGH
    agreed: str | None = None
    has_backup: bool = False
    is_rolled_back: bool = True


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
            ledger = Ledger(connection, self._dialect)
            if await self._is_unchanged(connection, ledger):
                return Plan(dialect=self._dialect.name)
            return await self._plan(connection, await ledger.entries())

    async def check(self) -> Plan:
        """Return what there is to do, however sure the ledger is of itself.

        Raises:
            HistoryEditedError: The ledger was edited.
            DriverError: The database could not be read.
        """
        async with self._driver.acquire(write=False) as connection:
            ledger = Ledger(connection, self._dialect)
            return await self._plan(connection, await ledger.entries())

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
        tables = [each.name for each in schema.tables if is_quarantined(each.name)]
        columns = [
            f"{table.name}.{column.name}"
            for table in schema.tables
            for column in table.columns
            if is_quarantined(column.name)
        ]
        return (*tables, *columns)

    async def _is_unchanged(self, connection: Connection, ledger: Ledger) -> bool:
        """Whether the ledger knows that database and models are as it left them."""
        if self._drops:
            return False
        fingerprint, noted = await ledger.last_digest()
        if not noted or fingerprint != self._target.fingerprint:
            return False
        return noted == await self._digest(connection)

    async def _digest(self, connection: Connection) -> str:
        names = [table.name for table in self._target.schema.tables]
        return await digest(connection, self._dialect, names)

    async def _plan(self, connection: Connection, entries: Sequence[Entry]) -> Plan:
        known = {name for entry in entries for name in entry.names}
        return await plan_for(
            connection, self._dialect, self._target, drops=self._drops, known=known
        )

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
            if await self._is_unchanged(connection, Ledger(connection, self._dialect)):
                return None
        async with self._driver.acquire() as connection, self._locked(connection):
            return await self._apply(connection, permission, on_step)

    @asynccontextmanager
    async def _locked(self, connection: Connection) -> AsyncGenerator[None]:
        """Keep other migrators out for the length of a block."""
        if self._dialect.name == "postgresql":
            async with advisory_lock(connection):
                yield
            return
        # Inside of a transaction this would do nothing at all, without a word.
        await connection.run([Statement("PRAGMA foreign_keys = OFF")])
        try:
            yield
        finally:
            with anyio.move_on_after(GRACE_S, shield=True):
                for name in ("legacy_alter_table = OFF", "foreign_keys = ON"):
                    await connection.run([Statement(f"PRAGMA {name}")])

    async def _apply(
        self, connection: Connection, permission: Permission, on_step: OnStep | None
    ) -> Entry | None:
        if self._dialect.name == "postgresql":
            return await self._apply_stepwise(connection, permission, on_step)

        async def begin() -> Entry | None:
            async with connection.transaction():
                return await self._apply_at_once(connection, permission, on_step)

        return await patiently("begin the migration", begin)

    async def _begin(
        self, connection: Connection, permission: Permission
    ) -> tuple[Ledger, Plan, Entry | None]:
        """Plan again now that nobody else migrates, and enter what is to be done."""
        ledger = Ledger(connection, self._dialect)
        entries = await ledger.entries()
        plan = await self._plan(connection, entries)
        _check_permission(plan, permission)
        if not plan.steps:
            await self._note(connection, ledger, entries)
            return ledger, plan, None
        await self._prove(connection, plan.steps)
        await ledger.create()
        names = names_in(self._target.schema)
        fingerprint = self._target.fingerprint
        entry = await ledger.begin(entries, fingerprint, plan.steps, names)
        return ledger, plan, entry

    async def _note(
        self, connection: Connection, ledger: Ledger, entries: Sequence[Entry]
    ) -> None:
        """Note that nothing is to be done, so that the next look is brief."""
        last = entries[-1] if entries else None
        fingerprint = self._target.fingerprint
        if last is None or last.fingerprint != fingerprint or not last.is_done:
            await ledger.create()
            names = names_in(self._target.schema)
            entry = await ledger.begin(entries, fingerprint, (), names)
            await ledger.finish(entry, "applied")
        await ledger.note_digest(await self._digest(connection))

    async def _prove(self, connection: Connection, steps: Sequence[Step]) -> None:
        """See that no step will be stopped by what is in the database."""
        runner = Runner(connection, self._dialect, self._target.fills)
        for step in steps:
            for proof in step.before:
                await _proved(runner, step, proof)

    async def _back_up(
        self, connection: Connection, plan: Plan, number: int, permission: Permission
    ) -> str:
        if not permission.has_backup:
            return ""
        if self._dialect.name == "sqlite":
            return await back_up_sqlite(self._driver.url, number)
        there = {table.name for table in (await look(connection, self._dialect)).tables}
        touched = {step.table for step in plan.steps}
        renamed = {new: old for new, old in self._target.renamed_tables.items()}
        tables = {
            name if name in there else renamed.get(name, name) for name in touched
        }
        return await back_up_postgresql(connection, number, tables & there)

    # -- SQLite -----------------------------------------------------------------

    async def _apply_at_once(
        self, connection: Connection, permission: Permission, on_step: OnStep | None
    ) -> Entry | None:
        """Do all steps in the open transaction."""
        ledger, plan, entry = await self._begin(connection, permission)
        if entry is None:
            return None
        backup = await self._back_up(connection, plan, entry.number, permission)
        runner = Runner(connection, self._dialect, self._target.fills)
        broken = await _broken(connection)
        durations: dict[int, float] = {}
        for number, step in enumerate(plan.steps):
            try:
                seconds = await _run(
                    runner, step.work, step.description, ledger, entry, number
                )
            except DriverError as error:
                outcome = "nothing was changed"
                raise MigrationFailedError(
                    step.description, str(error), outcome
                ) from error
            durations[number] = seconds
            _tell(on_step, step, number, seconds)
        await self._see_it_done(connection, plan)
        await _see_unbroken(connection, broken)
        found = await self._digest(connection)
        done = await ledger.finish(entry, "applied", digest=found, backup=backup)
        return msgspec.structs.replace(done, durations=durations)

    # -- PostgreSQL -------------------------------------------------------------

    async def _apply_stepwise(
        self, connection: Connection, permission: Permission, on_step: OnStep | None
    ) -> Entry | None:
        """Do each step in a transaction of its own."""
        ledger, plan, entry = await self._begin(connection, permission)
        if entry is None:
            return None
        runner = Runner(connection, self._dialect, self._target.fills)
        durations: dict[int, float] = {}
        step = plan.steps[0]
        try:
            backup = await self._back_up(connection, plan, entry.number, permission)
            for number, step in enumerate(plan.steps):
                seconds = await _run(
                    runner, step.work, step.description, ledger, entry, number
                )
                durations[number] = seconds
                _tell(on_step, step, number, seconds)
            await self._see_it_done(connection, plan)
        except (BackupError, DriverError, MigrationCheckError) as error:
            done = plan.steps[: len(durations)]
            failed = (
                plan.steps[len(durations)] if len(durations) < len(plan.steps) else None
            )
            raise await self._failed(
                ledger, entry, runner, (done, failed), error, permission
            ) from error
        found = await self._digest(connection)
        done_entry = await ledger.finish(entry, "applied", digest=found, backup=backup)
        return msgspec.structs.replace(done_entry, durations=durations)

    async def _failed(
        self,
        ledger: Ledger,
        entry: Entry,
        runner: Runner,
        steps: tuple[Sequence[Step], Step | None],
        error: DataFlowError,
        permission: Permission,
    ) -> DataFlowError:
        """Undo the steps before the one that failed, and return what to raise."""
        done, failed = steps
        text = failed.description if failed else "see that all is as it should be"
        if isinstance(error, ConnectionLostError):
            outcome = "the connection was lost: run it again, it goes on from there"
            return MigrationFailedError(text, str(error), outcome)
        outcome = "the steps before it stay: run it again, it goes on from there"
        if permission.is_rolled_back:
            outcome = "all steps before it were undone"
            left_invalid = failed and failed.work.mode == "alone" and failed.undo
            undone = [*done, failed] if left_invalid and failed else [*done]
            try:
                for step in reversed(undone):
                    await _undo(runner, step.undo, step.description)
            except (DriverError, MigrationCheckError) as second:
                outcome = f"undoing the steps before it failed as well: {second}"
        await ledger.finish(entry, "failed", error=str(error))
        if isinstance(error, BackupError):
            return error
        if isinstance(error, MigrationCheckError):
            return MigrationCheckError(error.step, f"{error.problem}; {outcome}")
        return MigrationFailedError(text, str(error), outcome)

    # -- afterwards -------------------------------------------------------------

    async def _see_it_done(self, connection: Connection, plan: Plan) -> None:
        """See that nothing is left to be done.

        Raises:
            MigrationCheckError: There is.
        """
        known = names_in(self._target.schema)
        left = await plan_for(
            connection, self._dialect, self._target, drops=self._drops, known=known
        )
        if left.steps:
            last = plan.steps[-1].description
            rest = "; ".join(step.description for step in left.steps)
            raise MigrationCheckError(last, f"the database still lacks: {rest}")

    # -- going back -------------------------------------------------------------

    async def roll_back(self, *, has_restore: bool = False) -> Entry:
        """Undo the last migration that was applied.

        Steps are undone in reverse order, on SQLite in one transaction. What was stored
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
            entries = await Ledger(connection, self._dialect).entries()
            entry = _last_applied(entries)
            if has_restore and not entry.backup:
                reason = f"migration {entry.number} was made without one"
                raise BackupError(reason)
            if not (has_restore and self._dialect.name == "sqlite"):
                return await self._roll_back(connection, entry, has_restore=has_restore)
        await restore_sqlite(self._driver.url, entry.backup)
        return msgspec.structs.replace(entry, state="rolled back")

    async def _roll_back(
        self, connection: Connection, entry: Entry, *, has_restore: bool
    ) -> Entry:
        ledger = Ledger(connection, self._dialect)
        runner = Runner(connection, self._dialect, self._target.fills)
        if self._dialect.name == "sqlite":
            async with connection.transaction():
                broken = await _broken(connection)
                await _undo_entry(runner, entry)
                await _see_unbroken(connection, broken)
                return await ledger.finish(entry, "rolled back")
        await _undo_entry(runner, entry)
        if has_restore:
            async with connection.transaction():
                actual = await look(connection, self._dialect)
                await restore_postgresql(connection, entry.backup, actual)
        return await ledger.finish(entry, "rolled back")

    async def purge(self) -> tuple[str, ...]:
        """Drop for good what is in quarantine, and return what that was.

        Nothing brings it back.

        Raises:
            MigrationFailedError: The database refused.
        """
        names = await self.quarantined()
        async with self._driver.acquire() as connection, self._locked(connection):
            for name in names:
                await self._purge(connection, name)
        return names

    async def _purge(self, connection: Connection, name: str) -> None:
        table, _, column = (
            name.rpartition(".") if f".{PREFIX}" in name else (name, "", "")
        )
        text = f"DROP TABLE {quote(table)}"
        if column:
            text = f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}"
        try:
            await connection.run([Statement(text)])
        except DriverError as error:
            outcome = "what was purged before it is gone"
            raise MigrationFailedError(f"purge {name}", str(error), outcome) from error


def _check_permission(plan: Plan, permission: Permission) -> None:
    if plan.problems:
        raise MigrationBlockedError(plan.problems)
    above = [step for step in plan.steps if step.risk > permission.limit]
    if above:
        raise MigrationRiskError(
            permission.limit.name,
            plan.risk.name,
            tuple(step.description for step in above),
            tuple(step.alternative for step in above),
        )
    if plan.steps and permission.agreed not in {None, plan.checksum}:
        raise MigrationChangedError(permission.agreed or "", plan.checksum)


def _tell(on_step: OnStep | None, step: Step, number: int, seconds: float) -> None:
    log.info(
        "migration_step_done",
        step=step.description,
        risk=step.risk.name,
        duration_s=seconds,
    )
    if on_step is not None:
        on_step(step, number, seconds)


async def _proved(runner: Runner, step: Step, proof: Proof) -> None:
    try:
        await runner.prove(proof, step.description)
    except DriverError as error:
        # A value that cannot even be cast.
        raise MigrationCheckError(
            step.description, f"{proof.problem} ({error})"
        ) from error


async def _run(
    runner: Runner, work: Work, what: str, ledger: Ledger, entry: Entry, number: int
) -> float:
    """Run the work of a step, enter it, and return the seconds it took."""
    taken: list[float] = []

    def record(seconds: float) -> Statement:
        taken.append(seconds)
        return ledger.stepped(entry, number, seconds)

    await runner.run(work, what, record)
    return taken[-1]


async def _undo(runner: Runner, work: Work | None, what: str) -> None:
    if work is not None:
        await runner.run(work, f"undo: {what}", lambda _: None)


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


async def _undo_entry(runner: Runner, entry: Entry) -> None:
    for step in reversed(entry.steps):
        try:
            await _undo(runner, step.undo, step.description)
        except DriverError as error:
            outcome = "what was undone before it stays so on PostgreSQL: try again"
            raise MigrationFailedError(
                f"undo: {step.description}", str(error), outcome
            ) from error


async def _broken(connection: Connection) -> frozenset[Any]:
    """Return foreign keys that refer to nothing, and views that do not work."""
    keys = {tuple(row) for row in await ask(connection, _BROKEN_KEYS)}
    views: set[tuple[str]] = set()
    for (name,) in await ask(connection, _VIEWS):
        try:
            async with connection.transaction():
                await ask(connection, f"SELECT 1 FROM {quote(name)} LIMIT 0")
        except DriverError:
            views.add((name,))
    return frozenset(keys | views)


async def _see_unbroken(connection: Connection, before: frozenset[Any]) -> None:
    """See that nothing is broken that was not so before.

    Raises:
        MigrationCheckError: Something is.
    """
    broken = await _broken(connection) - before
    if broken:
        names = ", ".join(sorted({str(each[0]) for each in broken}))
        problem = f"{names} would refer to what is not there; nothing was changed"
        raise MigrationCheckError("see that nothing is broken", problem)
