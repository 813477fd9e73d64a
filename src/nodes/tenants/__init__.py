"""Tenants that have a place of their own each, of which an engine has some open."""

from __future__ import annotations

from ._apart import Apart, Gate
from ._tenant_places import TenantPlaces
from ._tenant_router import TenantRouter

__all__ = ["Apart", "Gate", "TenantPlaces", "TenantRouter"]
