"""The life of tenants: they are made, suspended, exported, migrated and deleted."""

from __future__ import annotations

from ._deletion import Rows
from ._tenants import Deletion, Tenants

__all__ = ["Deletion", "Rows", "Tenants"]
