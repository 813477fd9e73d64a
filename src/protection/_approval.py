"""Asking somebody whether a message may be carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

__all__ = ["Approval", "Approve"]


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is asked to approve of; it holds no values of rows.

    Attributes:
        fingerprint: Tells the message from others; the same for the same message, as
            long as the DataFlow lives.
        rules: Ids of the rules that want it.
        reasons: Why there are such rules.
        model: Name of the model, or ``*`` for raw SQL.
        operation: What is asked.
        principal: Who asks.
        tenant: For whom.
        context: What else is known of them.
        run_id: In which run, or None.
    """

    fingerprint: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    model: str
    operation: str
    principal: str | None
    tenant: str | None
    context: Mapping[str, Any]
    run_id: str | None


Approve = Callable[[Approval], Awaitable[bool]]
"""Says whether a message may be carried out; it is awaited before anything is done."""
