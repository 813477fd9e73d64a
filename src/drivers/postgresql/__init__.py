"""PostgreSQL, through asyncpg."""

from __future__ import annotations

from ._driver import PostgresDriver

__all__ = ["PostgresDriver"]
