"""Proving: the chain over what was recorded, and looking whether it holds."""

from __future__ import annotations

from ._chain import Leaf, digest_text, events_of
from ._checkpoint import SHARED, AuditPlace, Marks, checkpoint, read_checkpoints
from ._signing import check_private_key, new_signing_keys
from ._verify import Verification, Verifications, verify

__all__ = [
    "SHARED",
    "AuditPlace",
    "Leaf",
    "Marks",
    "Verification",
    "Verifications",
    "check_private_key",
    "checkpoint",
    "digest_text",
    "events_of",
    "new_signing_keys",
    "read_checkpoints",
    "verify",
]
