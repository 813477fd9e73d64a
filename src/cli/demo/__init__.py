"""`dataflow demo`: the Unicode Character Database in a database, and questions to it."""

from __future__ import annotations

from ._command import demo

__all__ = ["demo"]
