"""The tenants of a database, for who looks after all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import anyio
import msgspec

from ...errors import (
    TenantConfirmationError,
    TenantExistsError,
    UnknownTenantError,
)
from ...nodes import Catalogue, Database, Engine
from ...telemetry import get_log
from ...tenancy import FRESH_S, Act, Register, State, Tenant
from .._guarded import DROP, ask_for_rows, ask_for_tables, guarded
from .._hosting import Hosting
from .._tenancy import Tenancy
from ..migrations import Migrations
from ._deletion import Rows, delete_rows
from ._limits import LimitedTenants
from ._migrating import MigratedTenants
from ._ported import PortedTenants

__all__ = ["Deletion", "Tenants"]

_log = get_log("dataflow.tenancy")

_SHOWN = tuple(state for state in State if state is not State.DELETED)


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion took, or would take.

    Attributes:
        tenant: Whose.
        place: Where its rows are, or were.
        rows: How many there are, or were, by model.
        is_done: Whether they are gone.
    """

    tenant: str
    place: str
    rows: dict[str, int]
    is_done: bool


@final
class Tenants(LimitedTenants, MigratedTenants, PortedTenants):
    """Makes, suspends, exports, deletes and limits tenants; ``db.tenants`` gives it.

    What a tenant is stands in the table ``dataflow_tenants`` of the database, and each
    change of that is audited. It takes hold here at once, and in other processes within
    `FRESH_S`. Nobody who works for a tenant may call any of this.

    Args:
        database: Where tenants are written down.
        hosting: Where calls about it run.
        catalogue: The models.
        tenancy: How tenants are kept apart.
        rows: Asks the nodes of models.
        migrations: Of the tables that are no tenant's alone.
    """

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        catalogue: Catalogue,
        tenancy: Tenancy,
        rows: Rows,
        *,
        migrations: Migrations,
    ) -> None:
        super().__init__(database, hosting)
        self._catalogue = catalogue
        self._tenancy = tenancy
        self._rows = rows
        self._migrations = migrations

    # -- looking ----------------------------------------------------------------

    async def list(self, *, deleted: bool = False) -> list[Tenant]:
        """Return the tenants that are written down, by name.

        With ``tenancy="row"`` there may be others: a tenant need not be made there,
        unless ``known_tenants_only=True``.

        Args:
            deleted: Return those that were deleted, too.

        Raises:
            DriverError: The database could not be read.
        """
        states = tuple(State) if deleted else _SHOWN
        return await self._call(lambda _, register: register.find(*states))

    async def get(self, name: str) -> Tenant:
        """Return one tenant.

        Raises:
            UnknownTenantError: There is none, or no more.
        """
        found = await self._call(lambda _, register: register.get(name))
        if found is None or found.state is State.DELETED:
            raise UnknownTenantError(name)
        return found

    # -- changing ---------------------------------------------------------------

    async def create(
        self,
        name: str,
        *,
        reason: str | None = None,
        exist_ok: bool = False,
        adopt: bool = False,
    ) -> Tenant:
        """Make a tenant: write it down, make its place, and the tables in it.

        If it is cancelled or killed, or fails, the tenant is left ``creating`` and
        nobody is served; calling it again goes on. Several may call it at once.

        Args:
            name: Its name.
            reason: Why, for the audit.
            exist_ok: Return the tenant if there is one, rather than fail.
            adopt: Take a database or schema that has tables already; for moving in.

        Raises:
            TenantNameError: It cannot have this name.
            TenantExistsError: There is one.
            TenantPlaceError: Its place is another tenant's, or holds something else.
            SchemaProtectedError: It would have a place of its own, and
                ``existing_schema_mode=True`` keeps that from being made.
            DriverError: The database refused, or could not be reached.
        """
        tenant, tenancy = self._tenancy.check_name(name), self._tenancy

        async def create(engine: Engine, register: Register) -> Tenant:
            known = await register.get(tenant)
            if known is not None and known.state in {State.ACTIVE, State.SUSPENDED}:
                if exist_ok:
                    return known
                raise TenantExistsError(tenant)
            self._check_places()
            await self._make_register(engine)
            begun = await register.begin(
                Act.CREATE, tenant, tenancy.place(tenant), reason
            )
            await self._make_place(engine, tenant, adopt=adopt)
            return await self._finish(register, Act.CREATED, begun, reason)

        return await self._call(create)

    async def suspend(self, name: str, *, reason: str) -> Tenant:
        """Let nobody work for a tenant; its rows stay.

        Messages that wait are refused, too, with `TenantSuspendedError`; what is in hand
        is finished. Other processes follow within `FRESH_S`. Who looks after tenants
        still gets in, by ``db.cross_tenant(...)``.

        Args:
            name: Its name.
            reason: Why; told to whoever is refused, and audited.

        Raises:
            UnknownTenantError: There is none.
            TenantStateError: It is being made or deleted.
        """
        if not reason.strip():
            msg = "suspend wants a reason, which is told to whoever is refused"
            raise TypeError(msg)
        return await self._move(Act.SUSPEND, name, reason)

    async def resume(self, name: str, *, reason: str | None = None) -> Tenant:
        """Let a suspended tenant go on.

        Raises:
            UnknownTenantError: There is none.
            TenantStateError: It is being made or deleted.
        """
        return await self._move(Act.RESUME, name, reason)

    async def delete(
        self,
        name: str,
        *,
        confirmed: bool = False,
        dry_run: bool = False,
        reason: str | None = None,
        on_model: Callable[[str, int], object] | None = None,
    ) -> Deletion:
        """Delete a tenant and all that it has.

        Nobody is served any more from the beginning on. It then waits `FRESH_S`, so that
        every process knows, and deletes rows, those first that refer to others, or the
        schema or database as a whole. If it is cancelled or killed, the tenant is left
        ``deleting``; calling it again goes on. What the audit of models recorded in a
        shared database stays.

        Args:
            name: Its name.
            confirmed: Whether that is meant.
            dry_run: Count only; nothing is changed.
            reason: Why, for the audit.
            on_model: Called with each model and the number of its rows that are gone.

        Raises:
            TenantConfirmationError: It was not confirmed; nothing was done.
            UnknownTenantError: There is none.
            TenantDeletionError: Rows could not be deleted.
            BlockedError: A rule of the protection refuses it.
            SchemaProtectedError: It has a place of its own, and
                ``existing_schema_mode=True`` keeps that from being deleted.
            DriverError: The database refused, or could not be reached.
        """
        tenant, tenancy = self._tenancy.check_name(name), self._tenancy
        if not confirmed and not dry_run:
            raise TenantConfirmationError(tenant)
        why = reason or "deleting a tenant"

        async def delete(engine: Engine, register: Register) -> Deletion:
            known = await self._known(engine, register, tenant, dry_run=dry_run)
            place = tenancy.place(tenant)
            if dry_run:
                rows = await self._rows.count(tenant, why)
                return Deletion(tenant=tenant, place=place, rows=rows, is_done=False)
            self._check_places()
            await self._ask(tenant, why)
            await register.move(Act.DELETE, tenant, reason)
            tenancy.states.forget(tenant)
            await anyio.sleep(FRESH_S)
            rows = await self._take_all(engine, tenant, why, on_model)
            await register.move(Act.DELETED, tenant, reason)
            tenancy.states.forget(tenant)
            _log.info("tenant_deleted", epoch=known.epoch if known else "")
            return Deletion(tenant=tenant, place=place, rows=rows, is_done=True)

        return await self._call(delete)

    # -- within -----------------------------------------------------------------

    async def _move(self, act: Act, name: str, reason: str | None) -> Tenant:
        tenant = self._tenancy.check_name(name)

        async def move(engine: Engine, register: Register) -> Tenant:
            await self._known(engine, register, tenant)
            moved = await register.move(act, tenant, reason)
            self._tenancy.states.forget(tenant)
            return moved

        return await self._call(move)

    async def _ask(self, tenant: str, reason: str) -> None:
        """Ask the layers beforehand, so that a refusal leaves the tenant in service.

        What hangs on rows they say only when these are deleted.

        Raises:
            BlockedError: One of them refuses it.
        """
        layers = self._database.interceptors
        models = [m for m in self._catalogue.models.values() if m.has_tenants]
        if self._tenancy.places is None:
            await ask_for_rows(layers, models, tenant, node="tenants", reason=reason)
        else:
            tables = [model.table for model in models]
            await ask_for_tables(layers, DROP, tables, node="tenants", reason=reason)

    async def _take_all(
        self,
        engine: Engine,
        tenant: str,
        reason: str,
        on_model: Callable[[str, int], object] | None,
    ) -> dict[str, int]:
        """Delete what a tenant has, and return how many rows that were."""
        places = self._tenancy.places
        if places is None:
            return await delete_rows(
                self._rows, self._catalogue.models, tenant, reason, on_model
            )
        base = engine.driver(self._database)
        models = [m for m in self._catalogue.models.values() if m.is_apart]

        async def drop() -> None:
            await engine.close_tenant(self._database, tenant)
            await places.drop(
                base, tenant, engine.connect_to, [model.table for model in models]
            )

        await guarded(
            self._database.interceptors,
            DROP,
            [model.table for model in models],
            drop,
            node="tenants",
            reason=reason,
        )
        return {}
