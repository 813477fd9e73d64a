"""Recording: the tables of the audit, and the triggers that write to them."""

from __future__ import annotations

from ._install import create_tables, ensure_audit
from ._personal import SEALED, WITHHELD_JSON, anchors_of, is_withheld, seals
from ._postgresql import key_text
from ._sqlite import BUFFER, Buffer, key_of
from ._tables import KEYS, LEAF_SETTING, RECORDS, AuditTables, audit_tables
from ._triggers import audited_buffer

__all__ = [
    "BUFFER",
    "KEYS",
    "LEAF_SETTING",
    "RECORDS",
    "SEALED",
    "WITHHELD_JSON",
    "AuditTables",
    "Buffer",
    "anchors_of",
    "audit_tables",
    "audited_buffer",
    "create_tables",
    "ensure_audit",
    "is_withheld",
    "key_of",
    "key_text",
    "seals",
]
