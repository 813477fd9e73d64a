"""How much can go wrong, in four levels."""

from __future__ import annotations

from enum import IntEnum

from ...errors import RiskLevelError

__all__ = ["Risk"]


class Risk(IntEnum):
    """What a step may do to those who use the database, and to what is in it."""

    LOW = 1
    """Nobody notices; it is undone without a trace."""
    MEDIUM = 2
    """Others wait for a moment, or rows may be refused from now on."""
    HIGH = 3
    """Others wait for long, or programs of before stop working."""
    CRITICAL = 4
    """What was stored may be lost for good."""

    @classmethod
    def named(cls, name: str | Risk) -> Risk:
        """Return the level of this name, in any case.

        Raises:
            RiskLevelError: There is none; the nearest name is told.
        """
        if isinstance(name, Risk):
            return name
        known = tuple(each.name for each in cls)
        if name.upper() not in known:
            raise RiskLevelError(name, known)
        return cls[name.upper()]

    def raised(self) -> Risk:
        """Return the level above, or itself when there is none."""
        return Risk(min(self + 1, Risk.CRITICAL))
