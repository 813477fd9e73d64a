"""The object users hold: one database, its models and their nodes."""

from __future__ import annotations

from ._dataflow import DataFlow
from .migrations import Migrations

__all__ = ["DataFlow", "Migrations"]
