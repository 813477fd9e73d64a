"""Migrations of a DataFlow: chosen, agreed to, and carried out place by place."""

from __future__ import annotations

from ._choices import MigrationChoices, confirmed
from ._migrations import Migrations

__all__ = ["MigrationChoices", "Migrations", "confirmed"]
