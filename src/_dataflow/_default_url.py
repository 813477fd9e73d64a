"""Where the database is when nobody says."""

from __future__ import annotations

import os
from typing import Final

from ..telemetry import get_log

__all__ = ["default_url"]

_FILE: Final = "sqlite:///dataflow.db"

_log = get_log("dataflow")


def default_url() -> str:
    """Return ``DATABASE_URL`` of the environment, else a file, with a warning."""
    url = os.environ.get("DATABASE_URL")
    if url:
        return url
    _log.warning("database_url_missing", using=_FILE)
    return _FILE
