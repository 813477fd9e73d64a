"""Steps on PostgreSQL."""

from __future__ import annotations

from ._columns import CHECK_PREFIX
from ._risks import POSTGRESQL_RISKS
from ._steps import postgresql_steps

__all__ = ["CHECK_PREFIX", "POSTGRESQL_RISKS", "postgresql_steps"]
