"""The kinds of nodes that every model gets, one file per kind."""

from __future__ import annotations

from ._kinds import KINDS

__all__ = ["KINDS"]
