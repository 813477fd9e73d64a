"""Tenancy: what keeps statements away that cannot be kept to one tenant."""

from __future__ import annotations

from ._raw_sql import RawSqlTenancy

__all__ = ["RawSqlTenancy"]
