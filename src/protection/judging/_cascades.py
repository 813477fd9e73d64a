"""What foreign keys make of a delete: writes to rows of other models.

The database does them by itself, so no message asks for them. They are judged as if
one did.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ...messages import Operation, Request
from ...models import Action, Model

__all__ = ["DELETES", "Reach", "deletes_for_good", "reached_by_delete"]

DELETES: Final = frozenset({Operation.DELETE, Operation.BULK_DELETE})


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
            if reach not in found:
                found[reach] = None
                if reach.action == "delete":
                    waiting.append(target)
    return tuple(found)


def _reached(model: Model) -> Iterator[tuple[Reach, Model]]:
    for relation in model.relations.values():
        if relation.is_own:
            continue
        target, key = relation.target, relation.foreign_key
        if key.on_delete is Action.CASCADE:
            yield Reach(target.name, "delete", None), target
        elif key.on_delete is Action.SET_NULL:
            fields = frozenset(name.casefold() for name in key.fields)
            yield Reach(target.name, "update", fields), target
