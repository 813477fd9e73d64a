"""Audit: what was changed, by whom and why, recorded in the transaction that did it."""

from __future__ import annotations

from ._connection import AuditedConnection
from ._driver import AuditedDriver
from ._facts import Facts
from ._history import Version, history_of, key_statement
from .proving import Verification, checkpoint, verify
from .recording import ensure_audit

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
