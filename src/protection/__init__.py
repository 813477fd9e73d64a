"""Protection: layers on the receiving side of every mailbox, one file per layer."""

from __future__ import annotations

from ._read_only import ReadOnly

__all__ = ["ReadOnly"]
