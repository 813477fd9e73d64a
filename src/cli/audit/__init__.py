"""`dataflow audit`: look whether an audit is as it was written, and sign how far it is."""

from __future__ import annotations

from ._command import audit

__all__ = ["audit"]
