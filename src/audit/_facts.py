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
        policy: Version of the rules that let it through; None where are no rules.
        overridden: Ids of the rules that somebody had leave to pass by.
        approved: Ids of the rules that wanted approval, and had it.
    """

    node: str
    operation: str
    principal: str | None = None
    tenant: str | None = None
    run: str | None = None
    trace: str | None = None
    reason: str | None = None
    policy: str | None = None
    overridden: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()

    @classmethod
    def of(cls, envelope: Envelope) -> Facts:
        """Return what an envelope says."""
        request, scope, judged = envelope.message, envelope.scope, envelope.judged
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
            policy=None if judged is None else judged.policy,
            overridden=() if judged is None else judged.overridden,
            approved=() if judged is None else judged.approved,
        )

    @property
    def identity(self) -> Hashable:
        """What messages share that may be recorded together."""
        return msgspec.structs.astuple(self)

    def text(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()
