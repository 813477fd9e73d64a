"""Who changed something, why, and by what."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from ..messages import Envelope

__all__ = ["Facts"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the message behind a change.

    Attributes:
        node: Name of the node.
        operation: What was asked of it.
        principal: Who asked, or None.
        tenant: For whom, or None.
        run: Id of the workflow run, or None outside of one.
        trace: Id that spans several runs, or None.
        reason: Why, as the context says under ``reason``; or None.
    """

    node: str
    operation: str
    principal: str | None = None
    tenant: str | None = None
    run: str | None = None
    trace: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> Facts:
        """Return what an envelope says."""
        request, scope = envelope.message, envelope.scope
        reason: Any = None
        if scope is not None:
            cross = scope.cross_tenant
            reason = cross.reason if cross is not None else scope.context.get("reason")
        return cls(
            node=request.node,
            operation=request.operation.value,
            principal=envelope.principal,
            tenant=envelope.tenant,
            run=envelope.run_id,
            trace=envelope.trace_id,
            reason=None if reason is None else str(reason),
        )

    @property
    def identity(self) -> Hashable:
        """What messages share that may be recorded together."""
        return msgspec.structs.astuple(self)

    def text(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()
