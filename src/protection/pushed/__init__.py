"""Rules that the database holds by itself: rights, policies for rows, and triggers."""

from __future__ import annotations

from ._statements import statements

__all__ = ["statements"]
