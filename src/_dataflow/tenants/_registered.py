"""Calls about the register of tenants, by who looks after all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...audit import ensure_audit
from ...errors import (
    SchemaProtectedError,
    TenantScopeError,
    TenantStateError,
    UnknownTenantError,
)
from ...messages import acting
from ...nodes import Catalogue, Database, Engine, Host
from ...tenancy import MODEL, Act, Register, State, Tenant
from .._hosting import Hosting
from .._tenancy import Tenancy
from ..migrations import Migrations

__all__ = ["RegisteredTenants", "engine_of"]

T = TypeVar("T")


class RegisteredTenants:
    """The tenants of a database, as far as they are written down."""

    _catalogue: Catalogue
    _database: Database
    _hosting: Hosting
    _migrations: Migrations
    _tenancy: Tenancy

    async def _call(self, function: Callable[[Engine, Register], Awaitable[T]]) -> T:
        """Call *function* with an engine, and the register.

        Raises:
            TenantScopeError: The code works for one tenant.
        """
        _refuse_inside()
        return await self._hosting.call(self._with_register, function)

    async def _with_register(
        self, host: Host, function: Callable[[Engine, Register], Awaitable[T]]
    ) -> T:
        engine = engine_of(host)
        driver = engine.driver(self._database)
        return await function(engine, Register(driver, self._database.audit_key))

    async def _make_register(self, engine: Engine) -> None:
        """See to it that the register is there, and audited.

        Raises:
            SchemaProtectedError: It is not, and must not be made.
        """
        driver, prepare = engine.driver(self._database), self._database.prepare
        if prepare is not None:
            await prepare(driver, MODEL)
        elif not await Register(driver).is_there():
            reason = "existing_schema_mode=True or auto_migrate=False"
            raise SchemaProtectedError(reason)
        await ensure_audit(driver, MODEL, may_create=prepare is not None)

    def _check_places(self) -> None:
        """Let pass whoever may make and delete the places of tenants.

        Raises:
            SchemaProtectedError: ``existing_schema_mode=True`` keeps them as they are.
        """
        if self._tenancy.places is not None:
            self._migrations.check_changeable()

    async def _make_place(self, engine: Engine, tenant: str, *, adopt: bool) -> None:
        """Make the place of a tenant, and the tables in it."""
        places, states = self._tenancy.places, self._tenancy.states
        states.forget(tenant)
        if places is None:
            return
        base = engine.driver(self._database)
        await places.create(base, tenant, engine.connect_to, may_adopt=adopt)
        models = [m for m in self._catalogue.models.values() if m.is_apart]
        async with engine.using(self._database, tenant) as place:
            for model in models:
                await place.prepare(model)

    async def _finish(
        self, register: Register, act: Act, begun: Tenant, reason: str | None
    ) -> Tenant:
        """Write down that a tenant is made, unless somebody else did meanwhile."""
        found = await _made(register, begun)
        if found is None:
            try:
                found = await register.move(act, begun.name, reason)
            except TenantStateError:
                found = await _made(register, begun)
                if found is None:
                    raise
        self._tenancy.states.forget(begun.name)
        return found

    async def _known(
        self,
        engine: Engine,
        register: Register,
        tenant: str,
        *,
        dry_run: bool = False,
    ) -> Tenant | None:
        """Return a tenant; one that nobody had to make is written down now.

        Raises:
            UnknownTenantError: There is none.
        """
        known = await register.get(tenant)
        if known is not None and known.state is not State.DELETED:
            return known
        if known is not None or self._tenancy.is_strict:
            raise UnknownTenantError(tenant)
        if dry_run:
            return None
        await self._make_register(engine)
        place = self._tenancy.place(tenant)
        begun = await register.begin(Act.CREATE, tenant, place, None)
        return await self._finish(register, Act.CREATED, begun, None)


async def _made(register: Register, begun: Tenant) -> Tenant | None:
    """Return a tenant that was being made, if it is served by now."""
    found = await register.get(begun.name)
    if found is None or found.epoch != begun.epoch:
        return None
    return found if found.state is State.ACTIVE else None


def engine_of(host: Host) -> Engine:
    """Return *host*, which is an engine."""
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host


def _refuse_inside() -> None:
    """Refuse whoever works for a tenant.

    Raises:
        TenantScopeError: The code does.
    """
    scope = acting.get()
    if scope is not None and scope.tenant is not None:
        owner = "db.tenants"
        problem = "what works for one tenant does not get at the others"
        raise TenantScopeError(owner, problem)
