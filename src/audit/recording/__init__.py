"""Recording: the tables of the audit, and the triggers that write to them."""

from __future__ import annotations

from ._install import create_tables, ensure_audit
from ._personal import SEALED, WITHHELD_JSON, anchors_of, is_withheld, seals
from ._postgresql import key_text
from ._sqlite import BUFFER, Buffer, key_of
from ._tables import HEADS, KEYS, LEAF_SETTING, LEAVES, RECORDS, SUBJECT_KEYS
from ._triggers import audited_buffer

__all__ = [
    "BUFFER",
    "HEADS",
    "KEYS",
    "LEAF_SETTING",
    "LEAVES",
    "RECORDS",
    "SEALED",
    "SUBJECT_KEYS",
    "WITHHELD_JSON",
    "Buffer",
    "anchors_of",
    "audited_buffer",
    "create_tables",
    "ensure_audit",
    "is_withheld",
    "key_of",
    "key_text",
    "seals",
]
