"""The audit of a database, for who looks after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, final

from ..audit import Verification, checkpoint, verify
from ..drivers import Driver
from ..errors import TenantScopeError
from ..nodes import Catalogue, Database, Engine, Host
from ..tenancy import Register, State
from ._hosting import Hosting

__all__ = ["Audit"]

T = TypeVar("T")


@final
class Audit:
    """What models with ``audit`` have recorded in one database.

    Args:
        database: Where.
        hosting: Finds the engine that asks it.
        catalogue: The models.
    """

    def __init__(
        self, database: Database, hosting: Hosting, catalogue: Catalogue
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._catalogue = catalogue

    async def verify(
        self,
        checkpoint: str | Sequence[str] | None = None,
        *,
        public_key: str | bytes | None = None,
        tenant: str | None = None,
    ) -> Verification:
        """Look at every leaf and every event; needs a role that may read them.

        Args:
            checkpoint: What `checkpoint` returned once, to be held against it; several
                as a list, or as lines of a text.
            public_key: By whose private key these must be signed, as PEM.
            tenant: Look at what was recorded in the place of this tenant, where each has
                one; without it at that of the database itself.

        Raises:
            TenancyError: Tenants share tables, or there is none of this name.
            AuditBrokenError: Something was changed, left out, put in or cut off;
                names the first place.
            SigningKeyError: The public key is none.
            ValueError: There is a public key, and no checkpoint that it could be for.
            DriverError: The database refused, or has no audit.
        """
        known = [checkpoint] if isinstance(checkpoint, str) else [*(checkpoint or ())]
        if public_key is not None and not known:
            msg = "a public key verifies checkpoints, and there is none: give one"
            raise ValueError(msg)

        async def look(driver: Driver, schema: str | None) -> Verification:
            key = self._database.audit_key
            return await verify(driver, key, known, _pem(public_key), schema=schema)

        return await self._hosting.call(_at, self._database, tenant, look)

    async def checkpoint(
        self, *, private_key: str | bytes | None = None, tenant: str | None = None
    ) -> str:
        """Return a line that says how far each chain is; keep it somewhere else.

        `verify` finds what was cut off since, or written anew.

        Args:
            private_key: Signs it by Ed25519, as PEM; `dataflow audit keygen` makes one.
                Without it the ``audit_key`` signs, if there is one.
            tenant: See `verify`.

        Raises:
            SigningKeyError: The private key is none.
            MissingExtraError: The library for it is not installed.
            DriverError: The database refused, or has no audit.
        """

        async def look(driver: Driver, schema: str | None) -> str:
            key = self._database.audit_key
            return await checkpoint(driver, key, _pem(private_key), schema=schema)

        return await self._hosting.call(_at, self._database, tenant, look)

    async def tenants(self) -> tuple[str, ...]:
        """Return the tenants that have an audit of their own, by name.

        None where tenants share tables, or no model of theirs is audited.

        Raises:
            DriverError: The database could not be read.
        """
        models = self._catalogue.models.values()
        if not any(each.is_apart and each.audit != "off" for each in models):
            return ()
        there = State.ACTIVE, State.SUSPENDED

        async def look(driver: Driver, _: str | None) -> tuple[str, ...]:
            return tuple(each.name for each in await Register(driver).find(*there))

        return await self._hosting.call(_at, self._database, None, look)


async def _at(
    host: Host,
    database: Database,
    tenant: str | None,
    look: Callable[[Driver, str | None], Awaitable[T]],
) -> T:
    """Call *look* with the connections to a place, and its schema."""
    engine = _engine(host)
    if tenant is None:
        return await look(engine.driver(database), None)
    if database.apart is None:
        owner, problem = "the audit", "tenants share one: verify that of the database"
        raise TenantScopeError(owner, problem)
    async with engine.using(database, tenant) as place:
        return await look(place.driver, place.database.schema)


def _pem(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key


def _engine(host: Host) -> Engine:
    assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
    return host
