"""Migrations of a DataFlow: from its models to its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeVar, final

from ...drivers import Driver
from ...errors import (
    MigrationBlockedError,
    SchemaProtectedError,
    TenantScopeError,
)
from ...models import Model
from ...nodes import Catalogue, Database
from ...row_security import ensure_policies
from .._guarded import MIGRATE, guarded
from .._hosting import Hosting
from ._choices import MigrationChoices, confirmed
from ._place import MigrationPlace, SharedTables, TenantTables

if TYPE_CHECKING:  # heavier than all the rest, and rarely needed
    from pathlib import Path

    from ...schema.migration import Entry, Migrator, OnStep, Plan, Target

__all__ = ["Migrations"]

T = TypeVar("T")

_WHO = "a migration"


@final
class Migrations:
    """What the database lacks of the models, and how it gets it.

    Args:
        database: Which.
        hosting: Where calls about it run.
        catalogue: The models.
        is_fixed: Whether the schema is never to be changed.
        place: Which of its tables; those that are no tenant's alone by default.
    """

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        catalogue: Catalogue,
        *,
        is_fixed: bool,
        place: MigrationPlace | None = None,
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._catalogue = catalogue
        self._is_fixed = is_fixed
        self._place = place or SharedTables(hosting, catalogue)
        self._known: tuple[tuple[Model, ...], Target] | None = None

    def of_tenant(self, tenant: str) -> Migrations:
        """Return the same for the tables of one tenant, where each has tables.

        Raises:
            TenancyError: Tenants share tables, or there can be none of this name.
        """
        apart = self._database.apart
        if apart is None:
            problem = "tenants share the tables of the database: migrate that"
            raise TenantScopeError(_WHO, problem)
        apart.url(tenant)  # checks the name
        place = TenantTables(self._database, self._hosting, self._catalogue, tenant)
        return Migrations(
            self._database,
            self._hosting,
            self._catalogue,
            is_fixed=self._is_fixed,
            place=place,
        )

    # -- looking ----------------------------------------------------------------

    async def plan(self, *, drops: Collection[str] = ()) -> Plan:
        """Return what there is to do; nothing is changed, and nobody is asked.

        Args:
            drops: Tables to drop, and columns, as ``table.column``, that are dropped
                rather than renamed.

        Raises:
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: The database could not be read.
        """
        return await self._run(lambda migrator: migrator.plan(), drops)

    async def check(self) -> Plan:
        """Return what the database lacks, even of what the ledger says was done.

        Raises:
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: The database could not be read.
        """
        return await self._run(lambda migrator: migrator.check())

    async def history(self) -> tuple[Entry, ...]:
        """Return the migrations of this database, the oldest first.

        Raises:
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: The database could not be read.
        """
        return await self._run(lambda migrator: migrator.entries())

    async def quarantined(self) -> tuple[str, ...]:
        """Return tables, and columns with their tables, that were dropped and are kept.

        Raises:
            DriverError: The database could not be read.
        """
        return await self._run(lambda migrator: migrator.quarantined())

    # -- changing ---------------------------------------------------------------

    async def apply(
        self,
        *,
        drops: Collection[str] = (),
        max_risk_level: str = "HIGH",
        agreed: str | None = None,
        backup: bool | str | Path = False,
        rollback_on_error: bool = True,
        on_step: OnStep | None = None,
    ) -> Entry | None:
        """Do what there is to do, without asking.

        Of many processes that call it at once one does it, the others wait and find
        nothing to do. If cancelled or killed, SQLite has done nothing; PostgreSQL keeps
        the steps that were done, and the next call goes on from there.

        Args:
            drops: See `plan`.
            max_risk_level: The greatest risk of a step: ``LOW``, ``MEDIUM``, ``HIGH``
                or ``CRITICAL``.
            agreed: Checksum of the plan that somebody agreed to; another one is not
                done.
            backup: Copy first what is changed; a path is the folder for the file.
            rollback_on_error: Undo the steps before one that fails. On SQLite that is
                so whatever is said.
            on_step: Called with each step that was done, its number and its seconds.

        Returns:
            What the ledger says of it, or None if there was nothing to do.

        Raises:
            SchemaProtectedError: ``existing_schema_mode=True`` keeps it as it is.
            MigrationBlockedError: What is to be done is not known.
            MigrationRiskError: A step is riskier than allowed; it tells what is safer.
            MigrationChangedError: Something else is to be done than was agreed to.
            MigrationCheckError: What is in the database does not allow it.
            MigrationFailedError: A step failed.
            BackupError: No backup could be made.
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: The database could not be reached.
        """
        choices = MigrationChoices(
            max_risk_level=max_risk_level,
            backup=backup,
            rollback_on_error=rollback_on_error,
            drops=drops,
        )
        return await self.apply_as(choices, agreed, on_step)

    async def roll_back(self, *, restore: bool = False) -> Entry:
        """Undo the last migration.

        What was stored since in tables and columns that go is lost.

        Args:
            restore: Give rows the values of the backup that was made before it; on
                SQLite the whole database becomes what it was then.

        Raises:
            SchemaProtectedError: ``existing_schema_mode=True`` keeps it as it is.
            NothingToRollBackError: There is none, or it has a step that nothing undoes.
            BackupError: It was made without a backup, or that is gone.
            MigrationFailedError: The database refused.
        """
        self.check_changeable()
        return await self._change(
            lambda migrator: migrator.roll_back(has_restore=restore)
        )

    async def purge(self) -> tuple[str, ...]:
        """Drop for good what is in quarantine, and return what that was.

        Migrations before it can no longer be undone.

        Raises:
            SchemaProtectedError: ``existing_schema_mode=True`` keeps it as it is.
            MigrationFailedError: The database refused.
        """
        self.check_changeable()
        return await self._change(lambda migrator: migrator.purge())

    async def apply_as(
        self,
        choices: MigrationChoices,
        agreed: str | None = None,
        on_step: OnStep | None = None,
    ) -> Entry | None:
        """Do what there is to do as somebody chose; see `apply`."""
        self.check_changeable()
        permission = choices.permission(agreed)
        return await self._change(
            lambda migrator: migrator.apply(permission, on_step), choices.drops
        )

    async def ask_and_apply(self, choices: MigrationChoices) -> tuple[bool, list[Plan]]:
        """Show what there is to do, ask, and do it; see `DataFlow.auto_migrate`."""
        limit, agreed = choices.permission().limit, None
        if not choices.dry_run:
            self.check_changeable()
        plan = await self.plan(drops=choices.drops)
        if choices.dry_run:
            is_possible = not plan.problems and plan.risk <= limit
            return is_possible, [plan] if plan else []
        if plan.problems:
            raise MigrationBlockedError(plan.problems)
        if plan and not choices.auto_confirm:
            shown, question = f"{plan.describe()}\n", "Apply this migration?"
            if not await confirmed(shown, question, self.command()):
                return False, [plan]
            agreed = plan.checksum
        await self.apply_as(choices, agreed)
        return True, [plan] if plan else []

    # -- within -----------------------------------------------------------------

    def check_changeable(self) -> None:
        """Let pass whoever may change the schema.

        Raises:
            SchemaProtectedError: ``existing_schema_mode=True`` keeps it as it is.
        """
        if self._is_fixed:
            reason = "existing_schema_mode=True"
            raise SchemaProtectedError(reason)

    def _target(self) -> Target:
        """Return what the models of now ask, the same as long as they are the same.

        Rows get one time of creation, whether a plan is shown or carried out.
        """
        from ...schema.migration import target_of  # noqa: PLC0415  # see above

        models = self._place.models
        if self._known is None or self._known[0] != models:
            self._known = models, target_of(models, self._database.url.dialect)
        return self._known[1]

    async def _run(
        self,
        call: Callable[[Migrator], Awaitable[T]],
        drops: Collection[str] = (),
    ) -> T:
        from ...schema.migration import Migrator  # noqa: PLC0415  # see above

        wanted = self._target()

        async def work(driver: Driver) -> T:
            return await call(Migrator(driver, wanted, drops=drops))

        return await self._place.run(work)

    async def _raise_walls(self, driver: Driver) -> None:
        """Make the policies of tables that came, or came anew."""
        for model in self._catalogue.models.values():
            await ensure_policies(driver, model, may_create=True)

    async def _change(
        self, call: Callable[[Migrator], Awaitable[T]], drops: Collection[str] = ()
    ) -> T:
        """Do the same by way of the interceptors, as a message of raw SQL would go.

        Raises:
            WriteBlockedError: One of them refused.
        """

        async def by_way_of_layers(migrator: Migrator) -> T:
            outcome: list[T] = []

            async def work() -> None:
                outcome.append(await call(migrator))

            await guarded(
                self._database.interceptors,
                MIGRATE,
                self._tables(drops),
                work,
                node="Migration",
                reason="a migration",
            )
            return outcome[0]

        outcome = await self._run(by_way_of_layers, drops)
        if self._database.row_security is not None:
            await self._hosting.with_all_rows(self._raise_walls)
        return outcome

    def _tables(self, drops: Collection[str]) -> list[str]:
        """Return the tables whose schema may change."""
        names = {table.name for table in self._target().schema.tables}
        names |= {name.partition(".")[0] for name in drops}
        return sorted(names) or ["*"]

    def command(self) -> str:
        """Return the command that does it, for whoever has no terminal to be asked on."""
        models = tuple(self._catalogue.models.values())
        module = models[-1].python_type.__module__ if models else "your.module"
        url = self._database.url.safe
        return f"dataflow migrate apply --models {module} --url '{url}'"
