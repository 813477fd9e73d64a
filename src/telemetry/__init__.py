"""Telemetry: the one place through which other rooms report events."""

from __future__ import annotations

from ._log import Level, Log, get_log

__all__ = ["Level", "Log", "get_log"]
