"""The commands about the schema of a database: show it, and write models of it."""

from __future__ import annotations

from ._command import schema

__all__ = ["schema"]
