"""Steps on SQLite."""

from __future__ import annotations

from ._rebuild import INTERIM
from ._risks import SQLITE_RISKS
from ._steps import sqlite_steps

__all__ = ["INTERIM", "SQLITE_RISKS", "sqlite_steps"]
