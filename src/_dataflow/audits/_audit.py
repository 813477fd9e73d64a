"""The audits of a database and of its tenants, for who looks after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from ...audit import (
    SHARED,
    AuditPlace,
    Marks,
    Verification,
    Verifications,
    check_private_key,
    checkpoint,
    read_checkpoints,
    verify,
)
from ...drivers import Driver
from ...errors import AuditBrokenError
from ...nodes import Catalogue, Database
from ...tenancy import State
from .._hosting import Hosting
from .._round import OnTenant
from ._places import AuditPlaces

__all__ = ["Audit"]

_THERE = State.ACTIVE, State.SUSPENDED


@final
class Audit:
    """What models with ``audit`` have recorded in one database.

    Where tenants have places of their own, each has an audit there; who works for one of
    them gets at no other.

    Args:
        database: Where.
        hosting: Finds the engine that asks it.
        catalogue: The models.
    """

    def __init__(
        self, database: Database, hosting: Hosting, catalogue: Catalogue
    ) -> None:
        self._key = database.audit_key
        self._places = AuditPlaces(database, hosting)
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
                as a list, or as lines of a text. Those of other places are left out.
            public_key: By whose private key these must be signed, as PEM.
            tenant: Look at what was recorded in the place of this tenant, where each has
                one; without it at that of the database itself.

        Raises:
            TenancyError: Tenants share tables, or there is none of this name.
            AuditBrokenError: Something was changed, left out, put in or cut off;
                names the first place. Or no checkpoint is of this audit.
            SigningKeyError: The public key is none.
            ValueError: There is a public key, and no checkpoint that it could be for.
            DriverError: The database refused, or has no audit.
        """
        known = self._known(checkpoint, public_key)

        async def look(driver: Driver, place: AuditPlace) -> Verification:
            if known and place not in known:
                owner = "the checkpoint"
                raise AuditBrokenError(owner, 0, "says nothing of this audit")
            return await verify(driver, self._key, known.get(place, {}))

        return await self._places.run(tenant, look)

    async def verify_all(
        self,
        checkpoint: str | Sequence[str] | None = None,
        *,
        public_key: str | bytes | None = None,
        after: str | None = None,
        keep_going: bool = False,
        on_tenant: OnTenant | None = None,
    ) -> Verifications:
        """Look at the audit of the database, and then at those of all tenants.

        Args:
            checkpoint: See `verify`; each audit is held against the lines that are of it.
            public_key: See `verify`.
            after: Begin with the tenant whose name comes behind this one; the database
                itself is left out. To go on where it was stopped.
            keep_going: Go on with the next one where one fails.
            on_tenant: Called with each tenant whose audit is as it was written, how many
                that makes, and of how many.

        Raises:
            TenantAuditError: Some are not as they were written, or could not be read;
                says which, and who is left.
            TenantScopeError: The code works for one tenant.
            AuditBrokenError: A checkpoint is none, or was changed; or the only audit
                there is, is not as it was written.
            SigningKeyError: The public key is none.
            ValueError: There is a public key, and no checkpoint that it could be for.
        """
        if not self._places.are_apart:
            found = await self.verify(checkpoint, public_key=public_key)
            return Verifications(shared=found, tenants={})
        known = self._known(checkpoint, public_key)

        async def look(driver: Driver, place: AuditPlace) -> Verification:
            return await verify(driver, self._key, known.get(place, {}))

        async def at(name: str | None) -> Verification:
            return await self._places.run(name, look)

        shared, tenants = await self._places.each(
            *("verifying", await self.tenants(), at),
            problems=await self._missed(known),
            after=after,
            keep_going=keep_going,
            on_tenant=on_tenant,
        )
        return Verifications(shared=shared, tenants=tenants)

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
            TenancyError: Tenants share tables, or there is none of this name.
            SigningKeyError: The private key is none.
            MissingExtraError: The library for it is not installed.
            DriverError: The database refused, or has no audit.
        """

        async def look(driver: Driver, place: AuditPlace) -> str:
            return await checkpoint(driver, self._key, _pem(private_key), place)

        return await self._places.run(tenant, look)

    async def checkpoint_all(
        self,
        *,
        private_key: str | bytes | None = None,
        after: str | None = None,
        keep_going: bool = False,
        on_line: Callable[[str], object] | None = None,
        on_tenant: OnTenant | None = None,
    ) -> list[str]:
        """Return a line of the database, and then one of each tenant; see `checkpoint`.

        `verify_all` holds each audit against its own.

        Args:
            private_key: See `checkpoint`.
            after: See `verify_all`.
            keep_going: Go on with the next one where one fails.
            on_line: Called with each line as soon as it is made: who keeps it then has
                it, whatever ends this.
            on_tenant: Called with each tenant that has a line, how many that makes, and
                of how many.

        Raises:
            TenantAuditError: Some could not be made; says which, and who is left.
            TenantScopeError: The code works for one tenant.
            SigningKeyError: The private key is none.
            MissingExtraError: The library for it is not installed.
        """
        if (key := _pem(private_key)) is not None:
            check_private_key(key)
        lines: list[str] = []

        async def make(name: str | None) -> None:
            lines.append(await self.checkpoint(private_key=private_key, tenant=name))
            if on_line is not None:
                on_line(lines[-1])

        await self._places.each(
            *("making checkpoints", await self.tenants(), make),
            after=after,
            keep_going=keep_going,
            on_tenant=on_tenant,
        )
        return lines

    async def tenants(self) -> tuple[str, ...]:
        """Return the tenants that have an audit of their own, by name.

        None where tenants share tables, or no model of theirs is audited.

        Raises:
            TenantScopeError: The code works for one tenant.
            DriverError: The database could not be read.
        """
        models = self._catalogue.models.values()
        if not any(each.is_apart and each.audit != "off" for each in models):
            return ()
        return tuple(each.name for each in await self._places.find(*_THERE))

    # -- within -----------------------------------------------------------------

    def _known(
        self, checkpoint: str | Sequence[str] | None, public_key: str | bytes | None
    ) -> Mapping[AuditPlace, Marks]:
        """Return what checkpoints say, by place."""
        texts = [checkpoint] if isinstance(checkpoint, str) else [*(checkpoint or ())]
        if public_key is not None and not texts:
            msg = "a public key verifies checkpoints, and there is none: give one"
            raise ValueError(msg)
        return read_checkpoints(texts, self._key, _pem(public_key))

    async def _missed(self, known: Mapping[AuditPlace, Marks]) -> dict[str, str]:
        """Return whose audits there were once, and are none now, without a deletion.

        A tenant that was deleted and made again is another place.
        """
        wanted = set(known) - {SHARED}
        if not wanted:
            return {}
        there = {
            AuditPlace(each.name, each.epoch)
            for each in await self._places.find(*_THERE)
        }
        missed = [
            each.tenant
            for each in sorted(wanted - there, key=lambda each: each.tenant)
            if not await self._places.was_deleted(each)
        ]
        problem = "was there once, and no record says that it was deleted"
        return dict.fromkeys(missed, problem)


def _pem(key: str | bytes | None) -> bytes | None:
    return key.encode() if isinstance(key, str) else key
