"""Deleting the rows of a tenant from tables that tenants share.

It goes by the nodes of the models, so by every layer around them, and is audited with
its reason. Rows that refer to others go first; where they refer to each other in a
circle, or to rows of their own table that are not to be deleted before them, what they
refer to is forgotten first, if it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, final

from ..._records import Records
from ...errors import (
    BlockedError,
    ForeignKeyError,
    TenantDeletionError,
    UnavailableNodeError,
)
from ...messages import Operation
from ...models import TENANT, Action, Model, Relation
from .._tenants import across_tenants

__all__ = ["Rows", "delete_rows", "in_order"]

_ROUNDS: Final = 3
"""Times that rows are looked for: what was in hand when it began may come late."""


@final
class Rows:
    """The rows of one tenant, by way of the nodes of models.

    Args:
        records: The rows of each model, by its name.
    """

    def __init__(self, records: Mapping[str, Records]) -> None:
        self._records = records

    async def count(self, tenant: str, reason: str) -> dict[str, int]:
        """Return how many rows a tenant has, by model, deleted ones included."""
        found: dict[str, int] = {}
        for records in _with_tenants(self._records):
            found[records.model.name] = await self._count(records, tenant, reason)
        return found

    async def may_be_left(self, model: str, tenant: str, reason: str) -> bool:
        """Whether a tenant may have rows of a model; who may not look has to try."""
        records = self._records[model]
        try:
            return bool(await self._count(records, tenant, reason))
        except (BlockedError, UnavailableNodeError):
            return True

    @staticmethod
    async def _count(records: Records, tenant: str, reason: str) -> int:
        given: dict[str, Any] = {TENANT: tenant}
        given |= _stored(records.model, "include_deleted")
        with across_tenants(reason, may_write=False):
            return await records.count(**given)

    async def delete(self, model: str, tenant: str, reason: str) -> int:
        """Delete all rows of a tenant, and return how many that were."""
        records = self._records[model]
        with across_tenants(reason, may_write=True):
            reply = await records.bulk_delete(
                filter={},
                confirmed=True,
                **{TENANT: tenant},
                **_stored(records.model, "permanent"),
            )
        return int(reply["deleted"])

    async def forget(
        self, model: str, fields: Iterable[str], tenant: str, reason: str
    ) -> None:
        """Let rows of a tenant refer to nothing by these fields."""
        with across_tenants(reason, may_write=True):
            await self._records[model].bulk_update(
                filter={},
                update=dict.fromkeys(fields),
                confirmed=True,
                **{TENANT: tenant},
            )


async def delete_rows(
    rows: Rows,
    models: Mapping[str, Model],
    tenant: str,
    reason: str,
    on_model: Callable[[str, int], object] | None,
) -> dict[str, int]:
    """Delete all rows of a tenant, and return how many that were, by model.

    Raises:
        TenantDeletionError: Others refer to them.
    """
    ordered, circular = in_order(
        each
        for each in models.values()
        if each.has_tenants and Operation.BULK_DELETE not in each.unavailable
    )
    gone = dict.fromkeys((each.name for each in ordered), 0)
    for model, relations in circular.items():
        fields = {field.name for each in relations for field in _forgettable(each)}
        if fields:
            await rows.forget(model.name, sorted(fields), tenant, reason)
    for n_before in range(_ROUNDS):
        before = sum(gone.values())
        for model in ordered:
            # A deletion of nothing would count for a rate like the one before.
            if n_before and not await rows.may_be_left(model.name, tenant, reason):
                continue
            try:
                gone[model.name] += await rows.delete(model.name, tenant, reason)
            except ForeignKeyError as error:
                problem = (
                    f"rows of {model.name} are referred to by {error.table}, which "
                    "could not be deleted before: delete these first"
                )
                raise TenantDeletionError(tenant, problem) from error
            if on_model is not None:
                on_model(model.name, gone[model.name])
        if sum(gone.values()) == before:
            break
    return gone


def in_order(
    models: Iterable[Model],
) -> tuple[list[Model], dict[Model, list[Relation]]]:
    """Return models, those first that refer to others, and what closes circles.

    Returns:
        All of *models*; and by model the relations that lead, against that order, to
        one before it or to itself.
    """
    left, ordered = dict.fromkeys(models), list[Model]()
    while left:
        referred = {
            relation.target
            for model in left
            for relation in model.own_relations
            if relation.target is not model
        }
        free = [model for model in left if model not in referred]
        for model in free or [next(iter(left))]:
            ordered.append(model)
            del left[model]
    place = {model: n for n, model in enumerate(ordered)}
    circular = {
        model: [
            each
            for each in model.own_relations
            if place.get(each.target, len(place)) <= place[model]
        ]
        for model in ordered
    }
    return ordered, {model: found for model, found in circular.items() if found}


def _forgettable(relation: Relation) -> list[Any]:
    """Return the fields to set to None so that a relation keeps nothing."""
    action = relation.foreign_key.on_delete
    is_own = relation.target is relation.source
    if action is Action.CASCADE or (is_own and action is not Action.RESTRICT):
        return []
    own = [field for field, _ in relation.pairs]
    return [field for field in own if field.is_nullable][:1]


def _with_tenants(records: Mapping[str, Records]) -> list[Records]:
    return [
        each
        for each in records.values()
        if each.model.has_tenants and Operation.COUNT not in each.model.unavailable
    ]


def _stored(model: Model, name: str) -> dict[str, Any]:
    return {} if model.deleted_field is None else {name: True}
