"""Steps on SQLite."""

from __future__ import annotations

from ._rebuild import INTERIM
from ._steps import sqlite_steps

__all__ = ["INTERIM", "sqlite_steps"]
