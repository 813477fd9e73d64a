"""Tenants as lanes: whose turn it is, and what each may have at once."""

from __future__ import annotations

from ._desk import Desk
from ._lane import lane_of, tenant_of_turn
from ._limits import GivenLimits, Limits
from ._pace import Pace, full_pace
from ._tenant_limits import TenantLimits

__all__ = [
    "Desk",
    "GivenLimits",
    "Limits",
    "Pace",
    "TenantLimits",
    "full_pace",
    "lane_of",
    "tenant_of_turn",
]
