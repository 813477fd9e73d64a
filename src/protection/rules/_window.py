"""When a rule holds: days and hours of a time zone, or a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, tzinfo
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from ...errors import PolicyError, nearest
from .._hint import hint

__all__ = ["DAYS", "Window"]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WHERE: Final = "a time window"


class Window(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Hours of some days, by the clocks on the wall of a time zone.

    Where clocks are set back an hour comes twice, and both times it is inside or
    outside; where they are set forward, an hour that is left out is never reached. A
    window that ends before it starts goes on past midnight; it belongs to the day on
    which it starts.

    Attributes:
        zone: Name in the IANA data base, such as ``Europe/Zurich``.
        days: Such as ``("mon", "fri")``; every day by default.
        start: First moment of a day, such as ``"09:00"``.
        end: First moment behind it; ``"00:00"`` is the end of the day.
        since: First moment of all, with a time zone; None for any.
        until: First moment behind all, with a time zone; None for any.
        is_outside: Whether all the rest is meant instead.

    Raises:
        PolicyError: A zone, a day or a time is none.
    """

    zone: str = "UTC"
    days: Sequence[str] = DAYS
    start: str = "00:00"
    end: str = "00:00"
    since: datetime | None = None
    until: datetime | None = None
    is_outside: bool = False
    _zone: tzinfo | None = None
    _start: time = time()
    _end: time = time()
    _days: frozenset[int] = frozenset()
    _is_any_hour: bool = False

    def __post_init__(self) -> None:
        force_setattr(self, "_zone", _zone(self.zone))
        force_setattr(self, "_start", _time(self.start))
        force_setattr(self, "_end", _time(self.end))
        days = (self.days,) if isinstance(self.days, str) else self.days
        force_setattr(self, "_days", frozenset(map(_day, days)))
        is_any_hour = self._start == self._end == time() and len(self._days) == len(
            DAYS
        )
        force_setattr(self, "_is_any_hour", is_any_hour)
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                problem = "since and until need a time zone: pass tzinfo"
                raise PolicyError(_WHERE, problem)

    def holds(self, now: datetime) -> bool:
        """Whether it holds at *now*, a time with a time zone."""
        return self._is_inside(now) is not self.is_outside

    def _is_inside(self, now: datetime) -> bool:
        if self.since is not None and now < self.since:
            return False
        if self.until is not None and now >= self.until:
            return False
        if self._is_any_hour:
            return True
        local = now.astimezone(self._zone)
        day, clock = local.weekday(), local.time()
        if self._start < self._end:
            return day in self._days and self._start <= clock < self._end
        if clock >= self._start:
            return day in self._days
        return (day - 1) % len(DAYS) in self._days and clock < self._end


def _zone(name: object) -> tzinfo:
    from zoneinfo import (  # noqa: PLC0415  # 3 ms, for rules that have a window
        ZoneInfo,
        available_timezones,
    )

    try:
        return ZoneInfo(str(name))
    except (LookupError, ValueError, OSError):
        zones = sorted(available_timezones())
    if not zones:
        problem = (
            f"this machine has no time zones, so {name!r} cannot be looked up: "
            "pip install tzdata"
        )
        raise PolicyError(_WHERE, problem)
    near = nearest(str(name), zones)
    then = f"did you mean {near!r}?" if near else "use a name such as 'Europe/Zurich'"
    raise PolicyError(_WHERE, f"there is no time zone {name!r}: {then}")


def _time(text: object) -> time:
    try:
        found = time.fromisoformat(str(text))
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise PolicyError(_WHERE, f"{text!r} is no time of day: write '09:00'")
    return found


def _day(name: object) -> int:
    short = str(name).casefold()[:3]
    if short not in DAYS:
        raise PolicyError(_WHERE, f"there is no day {name!r}: {hint(str(name), DAYS)}")
    return DAYS.index(short)
