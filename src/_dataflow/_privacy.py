"""Persons in a database: what is held of them, and how it goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final, final

from ..errors import PrivacyError, nearest
from ..models import Model
from ..nodes import Catalogue, Database, Engine, Host, Lease, sender
from ..privacy import (
    MODES,
    Eraser,
    Erasure,
    Keeper,
    Nodes,
    Reach,
    RetentionStep,
    SubjectExport,
    SubjectMap,
    archive_of,
    children_first,
    export_rows,
    key_of,
    note_personal,
    subject_of,
)
from ..telemetry import get_log
from ._hosting import Hosting
from ._round import OnTenant
from .audits import AuditPlaces, KeyRotation

__all__ = ["Privacy"]

_log = get_log("dataflow.privacy")

_BATCH: Final = 1000
"""Rows of a retention in one transaction."""


def _now() -> datetime:
    return datetime.now(UTC)


@final
class Privacy:
    """The persons whose data is in one database; ``db.privacy`` gives it.

    Everything it does is done by messages to nodes, for whoever acts: rules, tenants
    and audit are about it as about any other call.

    Args:
        database: Where.
        hosting: Finds the engine that does it.
        catalogue: The models there are.
    """

    def __init__(
        self, database: Database, hosting: Hosting, catalogue: Catalogue
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._catalogue = catalogue
        self._nodes = Nodes(catalogue.node)
        self._archives: dict[str, Model] = {}

    def archive(self, model: Model) -> Model | None:
        """Return where old rows of *model* go, noted from here on; None if nowhere.

        Raises:
            PrivacyError: They have no key to be told by.
        """
        note_personal(model)
        retention = model.privacy.retention
        if retention is None or retention.action != "archive":
            self._archives.pop(model.name, None)
            return None
        if model.generated_key is None and not model.key:
            problem = "its rows have no key, so they cannot be archived"
            raise PrivacyError(model.name, problem)
        archive = self._archives[model.name] = archive_of(model)
        return archive

    @property
    def archives(self) -> frozenset[str]:
        """Names of the models in which old rows are; see ``retention``."""
        return frozenset(each.name for each in self._archives.values())

    def _declared_archives(self) -> dict[str, Model]:
        """Return where old rows go, as models of this database, by whose they are."""
        declared = self._catalogue.models
        return {name: declared[each.name] for name, each in self._archives.items()}

    # -- persons -----------------------------------------------------------------

    async def export_subject(
        self, key: object, *, model: str | None = None
    ) -> SubjectExport:
        """Return everything that is held of a person, as of one moment.

        That is its own row and all that belongs to it by foreign keys, however far,
        deleted and archived rows too. It is in memory as a whole.

        Args:
            key: Of the person: a value, or a dict where the key has several fields.
            model: What the person is; needed where several models have persons.

        Raises:
            SubjectNotFoundError: There is no such person.
            PartialViewError: Who asks may not see all of it.
            PrivacyError: Models do not tell what belongs to a person.
        """
        call = partial(self._export, model=model)
        export: SubjectExport = await self._hosting.call(call, key)
        _log.info(
            "subject_exported",
            model=export.manifest["subject"]["model"],
            rows=export.manifest["rows"],
        )
        return export

    async def erase_subject(
        self,
        key: object,
        *,
        mode: str = "delete",
        dry_run: bool = True,
        model: str | None = None,
    ) -> Erasure:
        """Erase a person, or say what that would do.

        It is one transaction: all of it or nothing is done, whatever ends it. Deleted
        and archived rows are erased as well. Rows that models declare to keep stay.

        Args:
            key: Of the person: a value, or a dict where the key has several fields.
            mode: ``delete``, or ``anonymise``: rows stay, and what is personal in them
                is replaced.
            dry_run: Only say what would be done. The default.
            model: What the person is; needed where several models have persons.

        Raises:
            SubjectNotFoundError: There is no such person.
            LegalHoldError: Rows of it must stay as they are.
            ErasureBlockedError: Rows of others refer to what would go.
            PartialViewError: Who asks may not see all of it.
            PrivacyError: Models do not tell what to do.
            BlockedError: A rule refuses a change.
        """
        if mode not in MODES:
            near = nearest(mode, MODES)
            hint = f"did you mean {near!r}?" if near else f"one of {', '.join(MODES)}"
            msg = f"there is no mode {mode!r}: {hint}"
            raise ValueError(msg)
        call = partial(self._erase, mode=mode, is_dry=dry_run, model=model)
        erasure: Erasure = await self._hosting.call(call, key)
        if erasure.is_done:
            _log.info(
                "subject_erased",
                model=erasure.subject,
                mode=mode,
                rows=erasure.n_rows,
                run_id=erasure.run_id,
            )
        return erasure

    # -- time --------------------------------------------------------------------

    async def apply_retention(
        self,
        *,
        dry_run: bool = True,
        models: Sequence[str] = (),
        now: datetime | None = None,
        batch_size: int = _BATCH,
        on_batch: Callable[[str, int], object] | None = None,
    ) -> list[RetentionStep]:
        """Deal with the rows that are older than their models keep them.

        Each batch is a transaction. If it is interrupted, batches that were committed
        stay done, and the next run goes on.

        Args:
            dry_run: Only say what would be done. The default.
            models: Names of the models; all with a retention if empty.
            now: What time it is, with a timezone; the clock's if None.
            batch_size: Rows in one transaction, at least one.
            on_batch: Called after each batch with the name of the model, and how many
                of its rows are done; from the thread that runs the database.

        Raises:
            RetentionStoppedError: A batch could not be done; those before it are.
            PrivacyError: A model has no retention.
        """
        if now is not None and now.tzinfo is None:
            msg = "now is a datetime with a timezone"
            raise ValueError(msg)
        if batch_size < 1:
            msg = f"a batch has at least one row, not {batch_size}"
            raise ValueError(msg)
        call = partial(
            self._retain,
            names=tuple(models),
            now=now or _now(),
            batch_size=batch_size,
            told=on_batch,
        )
        steps: list[RetentionStep] = await self._hosting.call(call, dry_run)
        for step in steps:
            if step.is_done and step.rows:
                _log.info(
                    "retention_applied",
                    model=step.model,
                    action=step.action,
                    rows=step.rows,
                )
        return steps

    # -- keys --------------------------------------------------------------------

    async def rotate_keys(
        self,
        *,
        tenant: str | None = None,
        keep_going: bool = False,
        on_tenant: OnTenant | None = None,
    ) -> int:
        """Wrap the keys of all persons by the first of ``privacy_keys``.

        Behind it keys that were used before are needed no longer. Records stay as they
        are. Where tenants have places of their own, the keys of the database itself come
        first, and then those of each tenant; in a block of ``db.tenant(...)`` those of
        that one alone. If it is interrupted or fails, some keys are wrapped by the new
        one and some by an old one, and the next run goes on: where all are done, one
        question is asked.

        Args:
            tenant: Only the keys in the place of this tenant; others still need theirs.
            keep_going: Go on with the next tenant where one fails.
            on_tenant: Called with each tenant that is done, how many that makes, and of
                how many.

        Returns:
            How many keys were wrapped anew.

        Raises:
            PrivacyError: No keys are given.
            SubjectKeyError: A key is wrapped by one that is not among them.
            TenantAuditError: Likewise, where tenants have places of their own; or some
                are being made or imported. Says which, and who is left.
            TenancyError: Tenants share tables, or there is none of this name.
            DriverError: The database refused, or could not be reached.
        """
        if self._database.masters is None:
            problem = "there are none: give DataFlow(privacy_keys=[new, old]), or set "
            raise PrivacyError("privacy_keys", f"{problem}DATAFLOW_PRIVACY_KEYS")
        rotation = KeyRotation(
            AuditPlaces(self._database, self._hosting), self._database.masters
        )
        if tenant is None and rotation.are_apart:
            tenant = sender().tenant
        if tenant is not None:
            n_wrapped = await rotation.of(tenant)
        else:
            n_wrapped = await rotation.of_all(
                keep_going=keep_going, on_tenant=on_tenant
            )
        _log.info("subject_keys_rotated", keys=n_wrapped)
        return n_wrapped

    # -- on an engine ------------------------------------------------------------

    def _map(self, name: str | None) -> SubjectMap:
        models = self._catalogue.models
        subject = subject_of(models, name)
        return SubjectMap(subject, models.values(), self._declared_archives())

    async def _export(
        self, host: Host, key: object, *, model: str | None
    ) -> SubjectExport:
        map_ = self._map(model)
        whose = key_of(map_.subject, key)
        async with self._begin(host, map_.models, write=False) as lease:
            return await export_rows(Reach(lease, self._nodes), map_, whose)

    async def _erase(
        self, host: Host, key: object, *, mode: str, is_dry: bool, model: str | None
    ) -> Erasure:
        map_ = self._map(model)
        whose = key_of(map_.subject, key)
        # Where tenants have places, models are in these or in the database itself.
        is_apart = map_.subject.is_apart
        every = self._catalogue.models.values()
        models = [each for each in every if each.is_apart == is_apart]
        async with self._begin(host, models, write=not is_dry) as lease:
            eraser = Eraser(lease, self._nodes, map_, models, mode=mode, is_dry=is_dry)
            return await eraser.erase(whose)

    async def _retain(
        self,
        host: Host,
        is_dry: bool,  # noqa: FBT001  # from a call above
        *,
        names: Sequence[str],
        now: datetime,
        batch_size: int,
        told: Callable[[str, int], object] | None,
    ) -> list[RetentionStep]:
        steps: list[RetentionStep] = []
        archives = self._declared_archives()
        for model in self._aging(names):
            keeper = Keeper(
                model,
                archives.get(model.name),
                self._nodes,
                partial(self._begin, host),
                now=now,
                batch_size=batch_size,
                told=told,
            )
            steps.append(await (keeper.count() if is_dry else keeper.apply()))
        return steps

    def _aging(self, names: Sequence[str]) -> list[Model]:
        """Return the models with a retention, each before those it refers to."""
        models = self._catalogue.models
        for name in names:
            if self._catalogue.model(name).privacy.retention is None:
                problem = "it has no retention: declare one in __dataflow__"
                raise PrivacyError(name, problem)
        found = [each for each in models.values() if each.privacy.retention is not None]
        aging = [
            each for each in children_first(found) if not names or each.name in names
        ]
        for each in aging:
            self._tenant(each)  # before anything is done
        return aging

    @asynccontextmanager
    async def _begin(
        self,
        host: Host,
        models: Sequence[Model],
        *,
        write: bool,
    ) -> AsyncGenerator[Lease]:
        assert isinstance(host, Engine), "only engines are plugged in"  # noqa: S101
        tenants = [self._tenant(model) for model in models]
        tenant = next((each for each in tenants if each is not None), None)
        async with host.lease(
            self._database, models, write=write, tenant=tenant
        ) as lease:
            yield lease

    def _tenant(self, model: Model) -> str | None:
        """Return for whom its rows are looked at, where it matters to find them.

        What is not seen would stay, and pass for erased; or go, and not be archived.

        Raises:
            PrivacyError: Nobody said, so only a part would be found.
        """
        is_behind = model.has_tenants and self._database.row_security is not None
        if not (model.is_apart or is_behind):
            return None
        tenant = sender().tenant
        if tenant is not None:
            return tenant
        where = "in places of their own" if model.is_apart else "behind row_security"
        problem = (
            f"the rows of its tenants are {where}: work for one tenant after the other, "
            "in a block of db.tenant(...)"
        )
        raise PrivacyError(model.name, problem)
