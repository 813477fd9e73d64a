"""Tenants as lanes: whose turn it is, and what each may have at once."""

from __future__ import annotations

from ._desk import Desk
from ._lane import current_tenant, lane_of
from ._limits import TenantLimits
from ._tenants import GivenLimits, Tenants

__all__ = [
    "Desk",
    "GivenLimits",
    "TenantLimits",
    "Tenants",
    "current_tenant",
    "lane_of",
]
