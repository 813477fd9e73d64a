"""One migration while it is applied.

Rules of this file: it runs while nobody else migrates, over one connection. The plan is
made anew, because another migrator may have been faster. SQLite does it in one
transaction; PostgreSQL step by step, each entered in the ledger with what it does, so
that a process that dies leaves nothing the next one does not find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

import msgspec

from ...drivers import Connection, Driver
from ...errors import (
    BackupError,
    ConnectionLostError,
    DataFlowError,
    DriverError,
    MigrationCheckError,
    MigrationFailedError,
)
from ...sql import Statement
from ...telemetry import get_log
from ._entry import Entry
from ._permission import Permission
from ._planner import plan_for
from ._step import Plan, Step, Work
from .applying import (
    Ledger,
    Runner,
    back_up_postgresql,
    back_up_sqlite,
    defects,
    digest,
    look,
    see_sound,
)
from .planning import Target, default_names, names_in

__all__ = ["Application", "OnStep", "digest_of", "planned"]

OnStep = Callable[[Step, int, float], object]
"""Told of each step that was done: the step, its number from 0, its seconds."""

_LEAVING_TRACES: Final = frozenset({"create_index_concurrently", "backfill"})
"""What leaves an invalid index or some batches when it fails, rather than nothing."""

_LEAVING_NAMES: Final = frozenset({"rename_table", "rename_column"})
"""What leaves constraints with names that are made of those of before, on SQLite."""

log = get_log("dataflow.migrations")


async def digest_of(connection: Connection, driver: Driver, target: Target) -> str:
    """Return what tells whether the tables of models may have changed."""
    names = [table.name for table in target.schema.tables]
    return await digest(connection, driver.dialect, names)


async def planned(
    connection: Connection,
    driver: Driver,
    target: Target,
    drops: Sequence[str],
    entries: Sequence[Entry],
) -> Plan:
    """Return what there is to do, given what the ledger says."""
    known = {name for entry in entries for name in entry.names}
    return await plan_for(connection, driver.dialect, target, drops=drops, known=known)


@final
class Application:
    """Carries out what there is to do.

    Args:
        driver: The connections to the database.
        connection: The one that migrates.
        target: What the database is to become.
        drops: What is to be dropped.
        permission: What it may do.
        on_step: Told of each step that was done.
    """

    def __init__(
        self,
        driver: Driver,
        connection: Connection,
        target: Target,
        *,
        drops: Sequence[str],
        permission: Permission,
        on_step: OnStep | None,
    ) -> None:
        self._driver = driver
        self._connection = connection
        self._target = target
        self._drops = drops
        self._permission = permission
        self._on_step = on_step
        self._ledger = Ledger(connection, driver.dialect)
        self._runner = Runner(
            connection,
            driver.dialect,
            target.fills,
            is_noting=permission.is_rolled_back,
        )
        self._durations: dict[int, float] = {}

    async def at_once(self) -> Entry | None:
        """Do all steps in the open transaction, as SQLite can.

        Returns:
            What the ledger says of it, or None if there was nothing to do.
        """
        plan, entry = await self._begin()
        if entry is None:
            return None
        backup = ""
        if self._permission.has_backup:
            url, folder = self._driver.url, self._permission.folder
            backup = await back_up_sqlite(url, entry.number, folder)
        before = await defects(self._connection)
        for number, step in enumerate(plan.steps):
            try:
                await self._do(step, entry, number)
            except DriverError as error:
                outcome = "nothing was changed"
                raise MigrationFailedError(
                    step.description, str(error), outcome
                ) from error
        await self._see_it_done(plan)
        await see_sound(self._connection, before)
        return await self._finish(entry, backup)

    async def stepwise(self) -> Entry | None:
        """Do each step in a transaction of its own, as PostgreSQL must.

        Returns:
            What the ledger says of it, or None if there was nothing to do.
        """
        plan, entry = await self._begin()
        if entry is None:
            return None
        try:
            backup = await self._back_up(plan, entry.number)
            for number, step in enumerate(plan.steps):
                await self._do(step, entry, number)
            await self._see_it_done(plan)
        except (BackupError, DriverError, MigrationCheckError) as error:
            raise await self._failed(plan, entry, error) from error
        finally:
            await self._runner.forget()
        return await self._finish(entry, backup)

    # -- the parts --------------------------------------------------------------

    async def _begin(self) -> tuple[Plan, Entry | None]:
        """Plan now that nobody else migrates, and enter what is to be done."""
        entries = await self._ledger.entries()
        plan = await planned(
            self._connection, self._driver, self._target, self._drops, entries
        )
        self._permission.check(plan)
        if not plan.steps:
            await self._note(entries)
            return plan, None
        for step in plan.steps:
            for proof in step.before:
                await self._runner.prove(proof, step.description)
        await self._ledger.create()
        return plan, await self._enter(entries, plan.steps)

    async def _enter(self, entries: Sequence[Entry], steps: Sequence[Step]) -> Entry:
        names = names_in(self._target.schema)
        if any(step.operation in _LEAVING_NAMES for step in steps):
            schema = await look(self._connection, self._driver.dialect)
            names = names.union(*map(default_names, schema.tables))
        fingerprint = self._target.fingerprint
        return await self._ledger.begin(entries, fingerprint, steps, names)

    async def _note(self, entries: Sequence[Entry]) -> None:
        """Note that nothing is to be done, so that the next look is brief."""
        last = entries[-1] if entries else None
        is_new = last is None or last.fingerprint != self._target.fingerprint
        if is_new or not (last and last.is_done):
            await self._ledger.create()
            await self._ledger.finish(await self._enter(entries, ()), "applied")
        await self._ledger.note_digest(await self._digest())

    async def _do(self, step: Step, entry: Entry, number: int) -> None:
        """Do a step, and enter it with what it does."""

        def record(seconds: float) -> Statement:
            self._durations[number] = seconds
            return self._ledger.stepped(entry, number, seconds)

        try:
            await self._runner.run(step.work, step.description, record)
        except BaseException:
            self._durations.pop(number, None)
            raise
        seconds = self._durations[number]
        log.info(
            "migration_step_done",
            step=step.description,
            risk=step.risk.name,
            duration_s=seconds,
        )
        if self._on_step is not None:
            self._on_step(step, number, seconds)

    async def _see_it_done(self, plan: Plan) -> None:
        """See that nothing is left to be done.

        Raises:
            MigrationCheckError: There is.
        """
        known = names_in(self._target.schema)
        left = await plan_for(
            self._connection, self._driver.dialect, self._target, known=known
        )
        if left.steps:
            rest = "; ".join(step.description for step in left.steps)
            problem = f"the database still lacks: {rest}"
            raise MigrationCheckError(plan.steps[-1].description, problem)

    async def _finish(self, entry: Entry, backup: str) -> Entry:
        found = await self._digest()
        done = await self._ledger.finish(entry, "applied", digest=found, backup=backup)
        return msgspec.structs.replace(done, durations=self._durations)

    async def _digest(self) -> str:
        return await digest_of(self._connection, self._driver, self._target)

    async def _back_up(self, plan: Plan, number: int) -> str:
        if not self._permission.has_backup:
            return ""
        schema = await look(self._connection, self._driver.dialect)
        there = {table.name for table in schema.tables}
        old = self._target.renamed_tables
        names = {step.table for step in plan.steps}
        touched = {name if name in there else old.get(name, name) for name in names}
        return await back_up_postgresql(
            self._connection,
            self._driver.url,
            number,
            touched & there,
            self._permission.folder,
        )

    # -- failing ----------------------------------------------------------------

    async def _failed(
        self, plan: Plan, entry: Entry, error: DataFlowError
    ) -> DataFlowError:
        """Undo the steps before the one that failed, and return what to raise."""
        n_done = len(self._durations)
        is_over = n_done == len(plan.steps)
        failed = None if is_over else plan.steps[n_done]
        text = failed.description if failed else "see that all is as it should be"
        if isinstance(error, ConnectionLostError):
            outcome = "the connection was lost: run it again, it goes on from there"
            return MigrationFailedError(text, str(error), outcome)
        outcome = "the steps before it stay: run it again, it goes on from there"
        if self._permission.is_rolled_back:
            outcome = await self._undo(plan.steps[:n_done], failed)
        await self._ledger.finish(entry, "failed", error=str(error))
        if isinstance(error, BackupError):
            return error
        if isinstance(error, MigrationCheckError):
            return MigrationCheckError(error.step, f"{error.problem}; {outcome}")
        return MigrationFailedError(text, str(error), outcome)

    async def _undo(self, done: Sequence[Step], failed: Step | None) -> str:
        """Undo steps in reverse order, and say what became of them."""
        works = [(step.undo, step.description) for step in done]
        if failed is not None and failed.operation in _LEAVING_TRACES:
            works.append((failed.undo, failed.description))
        try:
            for work, what in reversed(works):
                await undo(self._runner, work, what)
        except (DriverError, MigrationCheckError) as error:
            return f"undoing the steps before it failed as well: {error}"
        return "all steps before it were undone"


async def undo(
    runner: Runner, work: Work | None, what: str, record: Statement | None = None
) -> None:
    """Take back what a step did, and enter that with *record*."""
    if work is not None:
        await runner.run(work, f"undo: {what}", lambda _: record)
