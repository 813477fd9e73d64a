"""The triggers that write down what changes in the table of one model.

A trigger sees every write, whatever statement it came by, COPY and cascades too, and its
record is part of the same transaction. Its name holds a digest of what it does, so that
one of another level, or of a model with other fields, is told from it.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from ...models import Model
from ...sql import POSTGRESQL, Dialect, Statement, qualified
from ._personal import anchors_of
from ._postgresql import postgresql_trigger
from ._sqlite import Buffer, buffer_of, sqlite_trigger
from ._text import digest

__all__ = [
    "PREFIX",
    "audited_buffer",
    "drop_statement",
    "trigger_names",
    "trigger_statements",
]

PREFIX: Final = "dataflow_audit_"

_FORM: Final = 3
"""Grows when triggers are written in another way."""

_ACTIONS: Final = ("insert", "update", "delete")

_buffers: Final[WeakKeyDictionary[Model, Buffer]] = WeakKeyDictionary()


def trigger_names(model: Model, dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the triggers that the table of *model* needs."""
    if model.audit == "off" or (model.audit == "summary" and dialect is not POSTGRESQL):
        return ()
    stamp = _stamp(model, dialect)
    return tuple(f"{PREFIX}{action}_{stamp}" for action in _ACTIONS)


def audited_buffer(model: Model, dialect: Dialect) -> Buffer | None:
    """Return what the triggers of *model* fill, where they do not write records."""
    if dialect is POSTGRESQL or model.audit in {"off", "summary"}:
        return None
    found = _buffers.get(model)  # asked for with each message
    if found is None:
        found = _buffers[model] = buffer_of(model, _stamp(model, dialect))
    return found


def trigger_statements(model: Model, dialect: Dialect) -> list[Statement]:
    """Return the statements that create them."""
    buffer, names = audited_buffer(model, dialect), trigger_names(model, dialect)
    statements = [] if buffer is None else [buffer.create()]
    for name, action in zip(names, _ACTIONS if names else (), strict=True):
        if buffer is None:
            texts = postgresql_trigger(model, name, action)
        else:
            texts = sqlite_trigger(model, name, action, buffer)
        statements += [Statement(text) for text in texts]
    return statements


def drop_statement(model: Model, name: str, dialect: Dialect) -> Statement:
    """Return what drops a trigger of *model*."""
    quoted = dialect.quote(name)
    if dialect is POSTGRESQL:
        return Statement(f"DROP TRIGGER {quoted} ON {qualified(model, dialect)}")
    return Statement(f"DROP TRIGGER {quoted}")


def _stamp(model: Model, dialect: Dialect) -> str:
    kinds = tuple(field.type.stored_kind for field in model.fields)
    facts = (_FORM, model.name, model.table, model.audit, model.names, kinds)
    # What is personal, and leads to persons, is recorded in another way.
    personal = [each.name for each in model.personal]
    anchors = sorted(anchors_of(model))
    # One that was copied into another schema would go on recording in the first.
    place = () if model.schema is None else (model.schema,)
    return digest((*facts, model.identity, dialect.name, personal, anchors, *place))
