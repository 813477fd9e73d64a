"""Tenants that go somewhere else, and come from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...messages import Operation
from ...models import Model
from ...nodes import Catalogue, Engine, Lease
from ...tenancy import Act, Register, State, Tenant
from .._tenancy import Tenancy
from .._tenants import as_tenant
from ._deletion import in_order
from ._registered import RegisteredTenants

if TYPE_CHECKING:
    from ._export_files import Exported
    from ._exporting import OnRows

__all__ = ["PortedTenants"]


class PortedTenants(RegisteredTenants):
    """The tenants of a database, as far as they are exported and imported."""

    _catalogue: Catalogue
    _tenancy: Tenancy

    async def export(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        reason: str | None = None,
        on_rows: OnRows | None = None,
    ) -> Exported:
        """Write all rows of a tenant into a folder, as of one moment.

        It holds a file of JSON lines for each model, deleted rows and personal data
        included, and ``manifest.json`` with counts, checksums and what the fields are.
        Some rows are in memory at a time. Masks do not hold: it is the tenant's own. It
        is written under another name at first: if it is cancelled or fails, there is
        nothing of this name. That it was exported is audited beforehand.

        Args:
            name: Of the tenant.
            path: The folder, which is made.
            reason: Why, for the audit.
            on_rows: Called with the name of a model, and how many of its rows are done.

        Raises:
            UnknownTenantError: There is no such tenant.
            TenantStateError: It is being made, imported or deleted.
            ExportError: It cannot be written there.
            PartialViewError: A rule hides rows from the sender.
            BlockedError: A rule of the protection refuses it.
            DriverError: The database could not be read.
        """
        from ...privacy import Nodes  # noqa: PLC0415  # not at start
        from ._exporting import write_export  # noqa: PLC0415

        tenant = self._tenancy.check_name(name)

        async def export(engine: Engine, register: Register) -> Exported:
            await self._known(engine, register, tenant)
            await register.note(Act.EXPORT, tenant, reason)
            models = self._portable()
            with as_tenant(tenant):
                async with engine.lease(
                    self._database, models, write=False, tenant=tenant
                ) as lease:
                    return await write_export(
                        lease,
                        Nodes(self._catalogue.node),
                        [*reversed(in_order(models)[0])],
                        path,
                        tenant=tenant,
                        tenancy=self._tenancy.kind,
                        on_rows=on_rows,
                    )

        return await self._call(export)

    async def import_(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        reason: str | None = None,
        on_rows: OnRows | None = None,
    ) -> Tenant:
        """Make a tenant of an export, or fill one that has no rows.

        Checksums and models are looked at first. All rows are stored in one transaction,
        by the bulk nodes of their models. If it is cancelled or killed, or fails, none
        is; a tenant that it was making is left ``importing``, served to nobody, and
        calling it again goes on. Where tenants share tables, keys that the database
        makes come anew, and declared foreign keys follow, by a map in a temporary file;
        some rows are in memory at a time.

        Args:
            name: Of the tenant; another one than in the export if need be.
            path: The folder of the export.
            reason: Why, for the audit.
            on_rows: Called with the name of a model, and how many of its rows are done.

        Raises:
            ExportError: The export is damaged, or does not fit the models; or the
                tenant has rows.
            TenantNameError: It cannot have this name.
            TenantStateError: It is being made or deleted.
            BlockedError: A rule of the protection refuses a row.
            ConstraintError: The database does.
            DriverError: It could not be reached.
        """
        from ._export_files import Reader  # noqa: PLC0415  # not at start
        from ._importing import Importer, check_models  # noqa: PLC0415
        from ._key_map import key_map  # noqa: PLC0415

        tenant, reader = self._tenancy.check_name(name), Reader(path)

        async def import_(engine: Engine, register: Register) -> Tenant:
            manifest = await reader.manifest()
            models = self._portable()
            check_models(reader, manifest, {each.name: each for each in models})
            await reader.check(manifest)
            known = await register.get(tenant)
            is_there = known is not None and known.state in {
                State.ACTIVE,
                State.SUSPENDED,
            }
            if known is not None and is_there:
                await register.note(Act.IMPORT, tenant, reason)
                begun = known
            else:
                await self._make_register(engine)
                place = self._tenancy.place(tenant)
                begun = await register.begin(Act.IMPORT, tenant, place, reason)
                await self._make_place(engine, tenant, adopt=False)
            with as_tenant(tenant):
                async with engine.lease(self._database, models, tenant=tenant) as lease:
                    counts = await _counts(lease, models)
                    if not any(counts.values()):
                        async with key_map() as keys:
                            importer = Importer(
                                *(lease, self._catalogue, reader, manifest),
                                keys=keys,
                                on_rows=on_rows,
                            )
                            await importer.store()
                    elif is_there or not _is_done(counts, manifest):
                        found = next(each for each in counts if counts[each])
                        problem = (
                            f"{tenant!r} has rows of {found} already: import it into a "
                            "tenant without any"
                        )
                        raise reader.error(problem)
            if is_there:
                return begun
            return await self._finish(register, Act.IMPORTED, begun, reason)

        return await self._call(import_)

    def _portable(self) -> list[Model]:
        """Return the models of which tenants have rows."""
        return [
            each
            for each in self._catalogue.models.values()
            if each.has_tenants and Operation.LIST not in each.unavailable
        ]


async def _counts(lease: Lease, models: Sequence[Model]) -> dict[str, int]:
    """Return how many rows there are, deleted ones included."""
    return {each.name: await lease.count(each) for each in models}


def _is_done(counts: dict[str, int], manifest: Exported) -> bool:
    """Whether an import that was stopped had stored everything."""
    return {name: count for name, count in counts.items() if count} == {
        name: count for name, count in manifest.rows.items() if count
    }
