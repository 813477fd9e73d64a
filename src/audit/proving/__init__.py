"""Proving: the chain over what was recorded, and looking whether it holds."""

from __future__ import annotations

from ._chain import Leaf, digest_text, events_of
from ._checkpoint import checkpoint
from ._signing import new_signing_keys
from ._verify import Verification, verify

__all__ = [
    "Leaf",
    "Verification",
    "checkpoint",
    "digest_text",
    "events_of",
    "new_signing_keys",
    "verify",
]
