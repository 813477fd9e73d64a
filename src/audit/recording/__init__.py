"""Recording: the tables of the audit, and the triggers that write to them."""

from __future__ import annotations

from ._install import create_tables, ensure_audit
from ._postgresql import key_text
from ._sqlite import BUFFER, Buffer, key_of
from ._tables import HEADS, KEYS, LEAF_SETTING, LEAVES, RECORDS
from ._triggers import audited_buffer

__all__ = [
    "BUFFER",
    "HEADS",
    "KEYS",
    "LEAF_SETTING",
    "LEAVES",
    "RECORDS",
    "Buffer",
    "audited_buffer",
    "create_tables",
    "ensure_audit",
    "key_of",
    "key_text",
]
