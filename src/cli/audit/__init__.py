"""`dataflow audit`: look whether the audit of a database is as it was written."""

from __future__ import annotations

from ._command import audit

__all__ = ["audit"]
