"""What a DataFlow does so that its tables follow its models."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from ._round import OnTenant
from .migrations import MigrationChoices, Migrations

if TYPE_CHECKING:  # heavier than all the rest, and rarely needed
    from pathlib import Path

    from ..schema.migration import Plan
    from .tenants import Tenants

__all__ = ["MigratedDatabase"]


class MigratedDatabase:
    """The part of a DataFlow that migrates; none is made by itself."""

    _migrations: Migrations

    if TYPE_CHECKING:  # a DataFlow has it

        @cached_property
        def tenants(self) -> Tenants: ...

    @property
    def migrations(self) -> Migrations:
        """What the database lacks of the models, step by step, and its history."""
        return self._migrations

    async def auto_migrate(
        self,
        *,
        dry_run: bool = False,
        auto_confirm: bool = False,
        max_risk_level: str = "HIGH",
        backup_before_migration: bool | str | Path = False,
        rollback_on_error: bool = True,
        drops: Collection[str] = (),
        tenant: str | None = None,
        keep_going: bool = False,
        on_tenant: OnTenant | None = None,
    ) -> tuple[bool, list[Plan]]:
        """Make the tables what the models ask: show how, ask, and do it.

        It asks on a terminal only. What is dropped is renamed out of the way and kept.
        Of many processes that call it at once one does it, the others wait and find
        nothing to do. If cancelled or killed, SQLite has done nothing; PostgreSQL keeps
        the steps that were done, and the next call goes on from there.

        Args:
            dry_run: Neither ask nor change anything.
            auto_confirm: Do not ask.
            max_risk_level: The greatest risk of a step: ``LOW``, ``MEDIUM``, ``HIGH``
                or ``CRITICAL``.
            backup_before_migration: Copy first what is changed: on SQLite the database
                into a file beside it; on PostgreSQL tables, by ``pg_dump`` into a file
                in the current folder, or into a schema of their own where that cannot
                be. A path is the folder for the file, and then it has to be one.
            rollback_on_error: Undo the steps before one that fails. On SQLite that is
                so whatever is said.
            drops: Tables to drop, and columns, as ``table.column``, that are dropped
                rather than renamed.
            tenant: Migrate only the tables of this tenant, where each has tables of its
                own; without it those that are no tenant's alone, and then all tenants,
                one after the other.
            keep_going: Go on with the next tenant where one fails.
            on_tenant: Called with each tenant that is done, how many that makes, and of
                how many.

        Returns:
            Whether it was done (with *dry_run*, whether it would be), and what there
            was to do: one plan, or none if nothing is to be done; and one for tenants
            with the same to do.

        Raises:
            RiskLevelError: No level of risk has this name.
            SchemaProtectedError: ``existing_schema_mode=True`` keeps it as it is.
            MigrationConfirmationError: Somebody has to agree, and this is no terminal.
            MigrationBlockedError: What is to be done is not known.
            MigrationRiskError: A step is riskier than allowed; it tells what is safer.
            MigrationChangedError: The database changed after the plan was shown.
            MigrationCheckError: What is in the database does not allow it.
            MigrationFailedError: A step failed.
            BackupError: No backup could be made.
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: The database could not be reached.
            TenantMigrationError: Some tenants were not migrated; says which. Calling it
                again goes on.
            UnknownTenantError: There is no such tenant.
        """
        migrations = self._migrations
        if tenant is not None:
            migrations = migrations.of_tenant(tenant)
        choices = MigrationChoices(
            dry_run=dry_run,
            auto_confirm=auto_confirm,
            max_risk_level=max_risk_level,
            backup=backup_before_migration,
            rollback_on_error=rollback_on_error,
            drops=drops,
        )
        is_done, plans = await migrations.ask_and_apply(choices)
        if tenant is not None or not self.tenants.are_apart or not (is_done or dry_run):
            return is_done, plans
        are_done, more = await self.tenants.ask_and_migrate(
            choices, keep_going=keep_going, on_tenant=on_tenant
        )
        return is_done and are_done, [*plans, *more]
