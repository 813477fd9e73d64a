"""Erasing a person: what is deleted, what is anonymised, what stays and why.

Rules of this file:

1. What is to be done is decided from what is there, in the transaction that does it.
2. What stays keeps what it refers to: rows that were to go but are referred to by rows
   that stay are anonymised instead. Nothing refers to what is not there.
3. Each change is a message to a node of the model, so rules, tenants and audit are
   about it as about any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from ..errors import ErasureBlockedError, LegalHoldError, PrivacyError
from ..models import Action, Model, Relation
from ..nodes import Lease
from ._forget import forget
from ._kinds import Nodes
from ._map import SubjectMap, children_first
from ._plan import Erasure, ErasureStep
from ._reach import Found, Reach, Row, chunks, keys_filter
from ._stand_in import is_alike, refuse_fixed, stand_in

__all__ = ["MODES", "Eraser", "anonymise"]

MODES: Final = ("delete", "anonymise")

_RECORDED: Final = frozenset({"changes", "full"})
"""Levels of audit that record values."""


class _Decision:
    """What becomes of the rows of one model."""

    def __init__(self, action: str, reason: str | None = None) -> None:
        self.action = action
        self.reason = reason


@final
class Eraser:
    """Erases persons in one transaction.

    Args:
        lease: The transaction.
        nodes: Finds the nodes of models.
        map_: What belongs to persons.
        models: All there are: rows of others may refer to what goes.
        mode: ``delete`` or ``anonymise``.
        is_dry: Whether nothing is done.
    """

    def __init__(
        self,
        lease: Lease,
        nodes: Nodes,
        map_: SubjectMap,
        models: Sequence[Model],
        *,
        mode: str,
        is_dry: bool,
    ) -> None:
        self._lease = lease
        self._nodes = nodes
        self._map = map_
        self._models = models
        self._mode = mode
        self._is_dry = is_dry
        self._reach = Reach(lease, nodes, locks=not is_dry)

    async def erase(self, key: Mapping[str, Any]) -> Erasure:
        """Do it, or say what would be done.

        Raises:
            DataFlowError: It cannot be done; nothing was done.
        """
        found = await self._reach.rows_of(self._map, key)
        _refuse_held(self._map.models, found)
        decisions = self._decide(found)
        steps = await self._unlink(found, decisions)
        for model in children_first(self._map.models):
            rows = found[model.name]
            if rows:
                steps.append(await self._step(model, rows, decisions[model.name]))
        if not self._is_dry:
            # Behind the changes: what these recorded is closed with the rest.
            origin = self._map.origin
            await forget(
                self._lease,
                [(origin(model), found[model.name]) for model in self._map.models],
            )
        return Erasure(
            subject=self._map.subject.name,
            mode=self._mode,
            steps=tuple(steps),
            is_done=not self._is_dry,
            run_id=None if self._is_dry else self._lease.run_id,
            recorded=tuple(
                model.name
                for model in self._map.models
                if found[model.name] and model.audit in _RECORDED
            ),
        )

    # -- deciding --------------------------------------------------------------------

    def _decide(self, found: Found) -> dict[str, _Decision]:
        decisions = {
            model.name: _decided(model, self._mode) for model in self._map.models
        }
        # Children first, so that what keeps its parent is known with the child.
        for model in children_first(self._map.models):
            decision = decisions[model.name]
            if decision.action == "delete" or not found[model.name]:
                continue
            for relation in model.own_relations:
                parent = decisions.get(relation.target.name)
                if parent is not None and parent.action == "delete":
                    parent.action = "anonymise"
                    parent.reason = f"rows of {model.name} refer to it, and stay"
        for model in self._map.models:
            decision = decisions[model.name]
            if decision.action != "anonymise":
                continue
            if not model.personal:
                decision.action = "keep"
                decision.reason = decision.reason or "no field of it is personal"
            elif found[model.name]:
                refuse_fixed(model)
        return decisions

    # -- rows of others --------------------------------------------------------------

    async def _unlink(
        self, found: Found, decisions: Mapping[str, _Decision]
    ) -> list[ErasureStep]:
        """Let rows that stay refer to none of those that go."""
        steps: list[ErasureStep] = []
        going = {
            name: rows
            for name, rows in found.items()
            if rows and decisions[name].action == "delete"
        }
        for model in self._models:
            for relation in model.own_relations:
                rows = going.get(relation.target.name)
                if rows:
                    own = going.get(model.name, ())
                    step = await self._unlinked(relation, rows, own)
                    steps += [] if step is None else [step]
        return steps

    async def _unlinked(
        self, relation: Relation, targets: Sequence[Row], going: Sequence[Row]
    ) -> ErasureStep | None:
        model = relation.source
        left = await self._referring(relation, targets, going)
        if not left:
            return None
        names = tuple(
            own.name for own, _ in relation.pairs if own.name != model.tenant_field
        )
        loose = [name for name in names if model.field(name).is_nullable]
        action = relation.foreign_key.on_delete
        if action is Action.CASCADE or not loose:
            raise ErasureBlockedError(relation.target.name, model.name, len(left))
        change = dict.fromkeys(loose)
        if not self._is_dry:
            await change_rows(self._lease, self._nodes, model, left, change)
        reason = f"they referred to rows of {relation.target.name} that go"
        return _told(model, len(left), "unlink", tuple(loose), reason)

    async def _referring(
        self, relation: Relation, targets: Sequence[Row], going: Sequence[Row]
    ) -> list[Row]:
        """Return the rows that refer to some of *targets* and do not go themselves."""
        model = relation.source
        tenant = model.tenant_field
        pairs = [(o.name, t.name) for o, t in relation.pairs if o.name != tenant]
        gone = {_key(model, row) for row in going}
        left: list[Row] = []
        for chunk in chunks(targets):
            filter_ = _pointing(pairs, chunk)
            names = [*model.key] or None
            async for row in self._reach.matching(model, filter_, names):
                if _key(model, row) not in gone:
                    left.append(row)  # noqa: PERF401  # an asynchronous one reads worse
        return left

    # -- doing -----------------------------------------------------------------------

    async def _step(
        self, model: Model, rows: Sequence[Row], decision: _Decision
    ) -> ErasureStep:
        action = decision.action
        fields: tuple[str, ...] = ()
        if action == "anonymise":
            fields = tuple(each.name for each in model.personal)
            if not self._is_dry:
                await anonymise(self._lease, self._nodes, model, rows)
        elif action == "delete" and not self._is_dry:
            await delete_rows(self._lease, self._nodes, model, rows)
        return _told(model, len(rows), action, fields, decision.reason)


def _decided(model: Model, mode: str) -> _Decision:
    said = model.privacy.erasure
    if said == "keep":
        return _Decision("keep", model.privacy.reason)
    if said is not None and said != mode:
        return _Decision(said, "its model says so")
    return _Decision(mode)


def _refuse_held(models: Sequence[Model], found: Found) -> None:
    """Check that no row must stay as it is.

    Raises:
        LegalHoldError: One must.
    """
    for model in models:
        hold = model.privacy.hold
        if hold is not None:
            count = sum(1 for row in found[model.name] if row[hold])
            if count:
                raise LegalHoldError(model.name, count)


def _told(
    model: Model, rows: int, action: str, fields: tuple[str, ...], reason: str | None
) -> ErasureStep:
    return ErasureStep(
        model=model.name,
        table=model.table,
        rows=rows,
        action=action,
        fields=fields,
        reason=reason,
    )


def _pointing(
    pairs: Sequence[tuple[str, str]], targets: Sequence[Row]
) -> dict[str, Any]:
    if len(pairs) == 1:
        ((own, theirs),) = pairs
        return {own: {"$in": [row[theirs] for row in targets]}}
    return {"$or": [{own: row[theirs] for own, theirs in pairs} for row in targets]}


def _key(model: Model, row: Row) -> object:
    return tuple(row[name] for name in model.key) if model.key else id(row)


def _require_key(model: Model) -> None:
    if not model.key:
        problem = "its rows have no key, so single ones cannot be changed or deleted"
        raise PrivacyError(model.name, problem)


async def anonymise(
    lease: Lease, nodes: Nodes, model: Model, rows: Sequence[Row]
) -> None:
    """Put something that tells nothing in the place of what is personal in rows."""
    _require_key(model)
    if is_alike(model):
        change = {e.name: stand_in(model, e, {}) for e in model.personal}
        await change_rows(lease, nodes, model, rows, change)
        return
    data = [
        {name: row[name] for name in model.key}
        | {each.name: stand_in(model, each, row) for each in model.personal}
        for row in rows
    ]
    await lease.ask(nodes.update(model), data=data, **_stored(model))


async def change_rows(
    lease: Lease,
    nodes: Nodes,
    model: Model,
    rows: Sequence[Row],
    change: Mapping[str, Any],
) -> None:
    """Change rows alike, deleted ones too."""
    _require_key(model)
    update = dict(change)
    for chunk in chunks(rows):
        filter_ = keys_filter(model, chunk)
        await lease.ask(
            nodes.update(model), filter=filter_, update=update, **_stored(model)
        )


async def delete_rows(
    lease: Lease, nodes: Nodes, model: Model, rows: Sequence[Row]
) -> None:
    """Delete rows for good."""
    _require_key(model)
    names = model.key
    ids = [
        row[names[0]] if len(names) == 1 else {n: row[n] for n in names} for row in rows
    ]
    permanent = {} if model.deleted_field is None else {"permanent": True}
    await lease.ask(nodes.delete(model), ids=ids, **permanent)


def _stored(model: Model) -> dict[str, Any]:
    return {} if model.deleted_field is None else {"include_deleted": True}
