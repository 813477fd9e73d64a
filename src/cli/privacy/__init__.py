"""`dataflow privacy`: export and erase persons, and apply retention."""

from __future__ import annotations

from ._command import privacy

__all__ = ["privacy"]
