"""SQL: models and filters become statements; pure, no I/O."""

from __future__ import annotations

from ._dialect import POSTGRESQL, SQLITE, Dialect
from ._statement import Result, Statement

__all__ = ["POSTGRESQL", "SQLITE", "Dialect", "Result", "Statement"]
