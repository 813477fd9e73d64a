"""What foreign keys make of a write: writes to rows of other models.

A delete takes rows along, or leaves them without what they refer to; a key that changes
is passed on. The database does that by itself, so no message asks for it. It is judged
as if one did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from ...messages import Operation, Request
from ...models import Action, Model, Relation

__all__ = [
    "CHANGES",
    "DELETES",
    "Reach",
    "changed_fields",
    "deletes_for_good",
    "passes_keys_on",
    "reached_by_delete",
    "reached_by_update",
]

DELETES: Final = frozenset({Operation.DELETE, Operation.BULK_DELETE})

CHANGES: Final = frozenset(
    {
        Operation.UPDATE,
        Operation.UPSERT,
        Operation.BULK_CREATE,
        Operation.BULK_UPDATE,
        Operation.BULK_UPSERT,
    }
)
"""What may change a key; a bulk create does if it is told to update what is there."""

_PASSING: Final = (Action.CASCADE, Action.SET_NULL)
_NESTED: Final = ("fields", "update", "updates")
"""Parameters that hold new values; others that hold fields say which row is meant."""

_CONFLICT: Final = ("key_fields", "conflict_on")


class Reach(msgspec.Struct, frozen=True):
    """A write to rows of another model.

    Attributes:
        model: Its name.
        action: ``delete`` or ``update``.
        fields: Names of the fields that change, in lower case; None if the rows go.
    """

    model: str
    action: str
    fields: frozenset[str] | None


def deletes_for_good(message: Request, model: Model) -> bool:
    """Whether a message that deletes rows of *model* leaves none of them."""
    return model.deleted_field is None or bool(message.parameters.get("permanent"))


def reached_by_delete(model: Model) -> tuple[Reach, ...]:
    """Return what a delete of rows of *model* does elsewhere, however far.

    Raises:
        ModelError: A foreign key refers to nothing there is.
    """
    found: dict[Reach, None] = {}
    waiting = [model]
    for each in waiting:
        for reach, target in _reached(each):
            if reach in found:
                continue
            found[reach] = None
            if reach.fields is None:
                waiting.append(target)
            else:
                found.update(dict.fromkeys(reached_by_update(target, reach.fields)))
    return tuple(found)


def _reached(model: Model) -> Iterator[tuple[Reach, Model]]:
    for relation in _referring(model):
        target, key = relation.target, relation.foreign_key
        if key.on_delete is Action.CASCADE:
            yield Reach(target.name, "delete", None), target
        elif key.on_delete is Action.SET_NULL:
            yield Reach(target.name, "update", _folded(key.fields)), target


# -- keys that change -------------------------------------------------------------


def reached_by_update(
    model: Model, changed: frozenset[str] | None
) -> tuple[Reach, ...]:
    """Return what a change of some fields of *model* does elsewhere, however far.

    Args:
        model: Whose rows change.
        changed: Names of the fields, in lower case; None if any may change.

    Raises:
        ModelError: A foreign key refers to nothing there is.
    """
    found: dict[Reach, None] = {}
    waiting = [(model, changed)]
    for each, names in waiting:
        for relation in _referring(each):
            key = relation.foreign_key
            referred = _folded(field.name for field, _ in relation.pairs)
            is_changed = names is None or not referred.isdisjoint(names)
            if key.on_update not in _PASSING or not is_changed:
                continue
            fields = _folded(key.fields)
            reach = Reach(relation.target.name, "update", fields)
            if reach not in found:
                found[reach] = None
                waiting.append((relation.target, fields))
    return tuple(found)


def passes_keys_on(model: Model) -> bool:
    """Whether foreign keys pass on some change of rows of *model*."""
    return any(each.foreign_key.on_update in _PASSING for each in _referring(model))


def changed_fields(message: Request, model: Model) -> frozenset[str] | None:
    """Return the fields that a message may change in rows that are there.

    Returns:
        Their names, in lower case; None if only its rows will tell.
    """
    given = message.parameters
    known = {name.casefold() for name in model.names}
    names = _names_of(given[name] for name in _NESTED if name in given)
    kept: Iterable[str] = model.key
    if message.operation is Operation.UPDATE:
        # Beside the new values stands the key of the row, not a new one.
        names |= {name for name in given if name not in model.key}
    elif "data" in given:
        rows = given["data"]
        if not isinstance(rows, list | tuple):
            return None
        names |= _names_of(cast("Iterable[object]", rows))
        names |= set(given)
        # The fields that say which row it is; other keys may change.
        said = [given[name] for name in _CONFLICT if given.get(name) is not None]
        if said:
            kept = [said[0]] if isinstance(said[0], str) else said[0]
        names -= {*kept}
    return frozenset(name.casefold() for name in names) & known


def _names_of(some: Iterable[object]) -> set[str]:
    found: set[str] = set()
    for each in some:
        if isinstance(each, Mapping):
            named = cast("Mapping[Any, object]", each)
            found.update(name for name in named if isinstance(name, str))
    return found


def _referring(model: Model) -> Iterator[Relation]:
    """Yield the relations to rows that refer to those of *model*."""
    return (each for each in model.relations.values() if not each.is_own)


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)
