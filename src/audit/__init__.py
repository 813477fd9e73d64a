"""Audit: what was changed, by whom and why, recorded in the transaction that did it."""

from __future__ import annotations

from ._connection import AuditedConnection
from ._driver import AuditedDriver
from ._facts import Facts
from ._hidden import Hidden
from ._history import Version, history_of, key_statement
from .proving import (
    SHARED,
    AuditPlace,
    Marks,
    Verification,
    Verifications,
    check_private_key,
    checkpoint,
    new_signing_keys,
    read_checkpoints,
    verify,
)
from .recording import ensure_audit, seals
from .sealing import (
    KeyProvider,
    KeyRing,
    MasterKeys,
    SubjectKeys,
    check_extra,
    subject_name,
    unsealed,
)

__all__ = [
    "SHARED",
    "AuditPlace",
    "AuditedConnection",
    "AuditedDriver",
    "Facts",
    "Hidden",
    "KeyProvider",
    "KeyRing",
    "Marks",
    "MasterKeys",
    "SubjectKeys",
    "Verification",
    "Verifications",
    "Version",
    "check_extra",
    "check_private_key",
    "checkpoint",
    "ensure_audit",
    "history_of",
    "key_statement",
    "new_signing_keys",
    "read_checkpoints",
    "seals",
    "subject_name",
    "unsealed",
    "verify",
]
