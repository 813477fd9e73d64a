"""Proving: the chain over what was recorded, and looking whether it holds."""

from __future__ import annotations

from ._chain import Leaf, digest_text, events_of
from ._verify import Verification, checkpoint, verify

__all__ = [
    "Leaf",
    "Verification",
    "checkpoint",
    "digest_text",
    "events_of",
    "verify",
]
