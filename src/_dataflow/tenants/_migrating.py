"""Migrating the tables of tenants that have a place of their own each.

Each tenant is a migration of its own, with a ledger in its place. What was done stays
done, so calling it again goes on with those that are left; of a tenant that has nothing
to do only the ledger is read.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from ...errors import (
    MigrationBlockedError,
    MigrationConfirmationError,
    TenantMigrationError,
    TenantScopeError,
    TenantStateError,
    UnknownTenantError,
)
from ...tenancy import State
from .._migrations import Migrations
from .._round import OnTenant, Round
from ._registered import RegisteredTenants
from ._tenancy import Kind, Tenancy

if TYPE_CHECKING:  # heavier than all the rest, and rarely needed
    from ...schema.migration import Entry, Plan

__all__ = ["MigratedTenants", "OnTenant"]

_THERE = frozenset({State.ACTIVE, State.SUSPENDED})
_YES = frozenset({"y", "yes"})
_NAMED = 5


class MigratedTenants(RegisteredTenants):
    """The tenants of a database, as far as their tables are migrated."""

    _migrations: Migrations
    _tenancy: Tenancy

    @property
    def kind(self) -> Kind:
        """What keeps tenants apart."""
        return self._tenancy.kind

    @property
    def are_apart(self) -> bool:
        """Whether each tenant has tables of its own."""
        return self._tenancy.places is not None

    async def migration_plans(
        self, *tenants: str, drops: Collection[str] = ()
    ) -> dict[str, Plan]:
        """Return what there is to do in the place of each tenant; nothing is changed.

        Args:
            *tenants: Which; all that are served or suspended by default.
            drops: See `Migrations.plan`.

        Raises:
            TenantScopeError: Tenants share tables.
            UnknownTenantError: There is no such tenant.
            TenantStateError: One is being made, imported or deleted.
            HistoryEditedError: The ledger of migrations was edited.
            DriverError: A place could not be read.
        """
        found: dict[str, Plan] = {}
        for name in await self._migrated(tenants):
            found[name] = await self._migrations.of_tenant(name).plan(drops=drops)
        return found

    async def migration_checks(self, *tenants: str) -> dict[str, Plan]:
        """Return what the place of each tenant lacks, whatever its ledger says.

        Raises:
            DataFlowError: As `migration_plans`.
        """
        return {
            name: await self._migrations.of_tenant(name).check()
            for name in await self._migrated(tenants)
        }

    async def migrate(
        self,
        *tenants: str,
        drops: Collection[str] = (),
        max_risk_level: str = "HIGH",
        agreed: Mapping[str, str] | None = None,
        backup: bool | str | Path = False,
        rollback_on_error: bool = True,
        keep_going: bool = False,
        on_tenant: OnTenant | None = None,
    ) -> dict[str, Entry | None]:
        """Migrate the places of tenants, one after the other, without asking.

        It stops at the first that fails. Tenants that were migrated stay so; calling it
        again goes on with the others. If cancelled or killed, likewise; for the tenant
        in hand see `Migrations.apply`.

        Args:
            *tenants: Which; all that are served or suspended by default.
            drops: See `Migrations.plan`.
            max_risk_level: See `Migrations.apply`.
            agreed: By tenant, the checksum of the plan that somebody agreed to.
            backup: See `Migrations.apply`; made for each tenant.
            rollback_on_error: See `Migrations.apply`.
            keep_going: Go on with the next tenant where one fails.
            on_tenant: Told of each tenant that is done.

        Returns:
            What the ledger of each tenant says of it, or None where there was nothing
            to do.

        Raises:
            TenantMigrationError: One failed, or more; says which, and who is left.
            TenantScopeError: Tenants share tables.
            UnknownTenantError: There is no such tenant; nothing was done.
            TenantStateError: One is being made, imported or deleted; nothing was done.
        """
        names = await self._migrated(tenants)

        async def apply(name: str) -> Entry | None:
            return await self._migrations.of_tenant(name).apply(
                drops=drops,
                max_risk_level=max_risk_level,
                agreed=(agreed or {}).get(name),
                backup=backup,
                rollback_on_error=rollback_on_error,
            )

        round_ = Round["Entry | None"](
            names, keep_going=keep_going, on_tenant=on_tenant
        )
        await round_.go(apply)
        if round_.problems:
            done = tuple(round_.done)
            raise TenantMigrationError(round_.problems, done, round_.left)
        return round_.done

    async def ask_and_migrate(
        self,
        *,
        dry_run: bool,
        auto_confirm: bool,
        max_risk_level: str,
        backup: bool | str | Path,
        rollback_on_error: bool,
        drops: Collection[str],
        keep_going: bool,
        on_tenant: OnTenant | None,
    ) -> tuple[bool, list[Plan]]:
        """Show what there is to do, ask, and do it; see `DataFlow.auto_migrate`.

        What is the same for many tenants is shown, and returned, once.
        """
        from ...schema.migration import Risk  # noqa: PLC0415  # see above

        limit = Risk.named(max_risk_level)
        plans = await self.migration_plans(drops=drops)
        alike: dict[str, tuple[Plan, list[str]]] = {}
        for name, plan in plans.items():
            if plan:
                alike.setdefault(plan.checksum, (plan, []))[1].append(name)
        shown = [plan for plan, _ in alike.values()]
        if dry_run:
            is_possible = all(not p.problems and p.risk <= limit for p in shown)
            return is_possible, shown
        problems = [problem for plan in shown for problem in plan.problems]
        if problems:
            raise MigrationBlockedError(tuple(dict.fromkeys(problems)))
        agreed: dict[str, str] = {}
        if alike and not auto_confirm:
            if not await _confirmed([*alike.values()], self._migrations.command()):
                return False, shown
            agreed = {name: plan.checksum for name, plan in plans.items() if plan}
        await self.migrate(
            drops=drops,
            max_risk_level=max_risk_level,
            agreed=agreed,
            backup=backup,
            rollback_on_error=rollback_on_error,
            keep_going=keep_going,
            on_tenant=on_tenant,
        )
        return True, shown

    async def _migrated(self, asked: tuple[str, ...]) -> list[str]:
        """Return the names of the tenants to migrate.

        Raises:
            TenantScopeError: Tenants share tables.
            UnknownTenantError: There is no such tenant.
            TenantStateError: One is being made, imported or deleted.
        """
        if self._tenancy.places is None:
            owner = "a migration"
            problem = "tenants share the tables of the database: migrate that"
            raise TenantScopeError(owner, problem)
        states = tuple(each for each in State if each is not State.DELETED)
        found = await self._call(lambda _, register: register.find(*states))
        known = {each.name: each for each in found}
        for name in asked:
            if name not in known:
                raise UnknownTenantError(name)
            if known[name].state not in _THERE:
                raise TenantStateError(name, known[name].state, "migrated")
        return [*dict.fromkeys(asked)] or [
            name for name, each in known.items() if each.state in _THERE
        ]


async def _confirmed(
    plans: list[tuple[Plan, list[str]]],
    command: str,
) -> bool:
    """Show plans, each with whose it is, and ask.

    Raises:
        MigrationConfirmationError: There is no terminal to ask on.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise MigrationConfirmationError(command)
    for plan, names in plans:
        more = len(names) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        sys.stdout.write(f"{', '.join(names[:_NAMED])}{rest}:\n{plan.describe()}\n")
    answer = await to_thread.run_sync(
        input, "Apply this to the tenants? [y/N] ", abandon_on_cancel=True
    )
    return answer.strip().lower() in _YES
