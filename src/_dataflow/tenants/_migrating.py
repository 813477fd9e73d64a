"""Migrating the tables of tenants that have a place of their own each.

Each tenant is a migration of its own, with a ledger in its place. What was done stays
done, so calling it again goes on with those that are left; of a tenant that has nothing
to do only the ledger is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import (
    MigrationBlockedError,
    TenantMigrationError,
    TenantScopeError,
    TenantStateError,
    UnknownTenantError,
)
from ...tenancy import State
from .._round import OnTenant, Round
from .._tenancy import Kind, Tenancy
from ..migrations import MigrationChoices, Migrations, confirmed
from ._registered import RegisteredTenants

if TYPE_CHECKING:  # heavier than all the rest, and rarely needed
    from ...schema.migration import Entry, Plan

__all__ = ["MigratedTenants", "OnTenant"]

_THERE = frozenset({State.ACTIVE, State.SUSPENDED})
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
        choices = MigrationChoices(
            max_risk_level=max_risk_level,
            backup=backup,
            rollback_on_error=rollback_on_error,
            drops=drops,
        )
        names = await self._migrated(tenants)
        return await self._migrate(
            *(names, choices, agreed or {}), keep_going=keep_going, on_tenant=on_tenant
        )

    async def _migrate(
        self,
        names: Sequence[str],
        choices: MigrationChoices,
        agreed: Mapping[str, str],
        *,
        keep_going: bool,
        on_tenant: OnTenant | None,
    ) -> dict[str, Entry | None]:
        async def apply(name: str) -> Entry | None:
            migrations = self._migrations.of_tenant(name)
            return await migrations.apply_as(choices, agreed.get(name))

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
        choices: MigrationChoices,
        *,
        keep_going: bool,
        on_tenant: OnTenant | None,
    ) -> tuple[bool, list[Plan]]:
        """Show what there is to do, ask, and do it; see `DataFlow.auto_migrate`.

        What is the same for many tenants is shown, and returned, once.
        """
        limit = choices.permission().limit
        plans = await self.migration_plans(drops=choices.drops)
        alike: dict[str, tuple[Plan, list[str]]] = {}
        for name, plan in plans.items():
            if plan:
                alike.setdefault(plan.checksum, (plan, []))[1].append(name)
        shown = [plan for plan, _ in alike.values()]
        if choices.dry_run:
            is_possible = all(not p.problems and p.risk <= limit for p in shown)
            return is_possible, shown
        problems = [problem for plan in shown for problem in plan.problems]
        if problems:
            raise MigrationBlockedError(tuple(dict.fromkeys(problems)))
        agreed: dict[str, str] = {}
        if alike and not choices.auto_confirm:
            text = "".join(_described(*each) for each in alike.values())
            question = "Apply this to the tenants?"
            if not await confirmed(text, question, self._migrations.command()):
                return False, shown
            agreed = {name: plan.checksum for name, plan in plans.items() if plan}
        await self._migrate(
            *([*plans], choices, agreed), keep_going=keep_going, on_tenant=on_tenant
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


def _described(plan: Plan, names: Sequence[str]) -> str:
    """Return a plan with whose it is, for a reader."""
    more = len(names) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"{', '.join(names[:_NAMED])}{rest}:\n{plan.describe()}\n"
