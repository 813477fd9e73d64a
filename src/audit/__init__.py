"""Audit: what was changed, by whom and why, recorded in the transaction that did it."""

from __future__ import annotations

from ._connection import AuditedConnection, AuditedDriver
from ._facts import Facts
from ._history import Version, history_of, key_statement
from ._install import ensure_audit
from ._verify import Verification, checkpoint, verify

__all__ = [
    "AuditedConnection",
    "AuditedDriver",
    "Facts",
    "Verification",
    "Version",
    "checkpoint",
    "ensure_audit",
    "history_of",
    "key_statement",
    "verify",
]
