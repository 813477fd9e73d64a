"""A layer that refuses raw SQL where rows belong to tenants.

Whose rows a text is about cannot be told, so nobody who works for a tenant may send
one, and nobody who does not say for whom. Administration may, in a block that says so.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, final

from ..actors import Handler, Turn, nothing_left
from ..errors import TenantScopeError
from ..messages import Envelope, Operation, Request
from ..models import Model

__all__ = ["RawSqlTenancy"]

_INSTEAD: Final = (
    "raw SQL cannot be kept to one tenant, and rows of {} have one: use the nodes of "
    "the models, or for administration db.cross_tenant(reason=..., may_write=True)"
)


@final
class RawSqlTenancy:
    """Lets raw SQL pass as long as no model has tenants, or for administration.

    Args:
        models: Models that have tenants, to begin with.
    """

    def __init__(self, *models: str) -> None:
        self._models = set(models)

    def declare(self, model: Model) -> None:
        """Take notice of a model before anything is made of it."""
        if model.has_tenants:
            self._models.add(model.name)

    def __call__(self, turn: Turn, call_next: Handler) -> Awaitable[None]:
        """Refuse raw SQL with `TenantScopeError`, pass on the rest."""
        if not self._models:
            return call_next(turn)
        for envelope in turn.taken:
            message = envelope.message
            if (
                isinstance(message, Request)
                and message.operation is Operation.SQL
                and not _is_administration(envelope)
            ):
                problem = _INSTEAD.format(", ".join(sorted(self._models)))
                turn.refuse(envelope, TenantScopeError(message.node, problem))
        return call_next(turn) if turn else nothing_left()


def _is_administration(envelope: Envelope) -> bool:
    cross = None if envelope.scope is None else envelope.scope.cross_tenant
    return cross is not None and cross.may_write and envelope.tenant is None
