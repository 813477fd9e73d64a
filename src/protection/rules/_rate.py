"""How often something may happen."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final, final

import msgspec

from ...errors import PolicyError
from .._hint import hint

__all__ = ["Rate", "RateMeter", "read_rate"]

_UNITS: Final = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_FORM: Final = re.compile(r"\s*(\d+)\s*/\s*(\w+?)s?\s*")

_PRINCIPALS: Final = 10_000
"""Of whom messages are counted, at most; whoever was longest silent is forgotten."""


class Rate(msgspec.Struct, frozen=True):
    """So many messages within some time.

    Attributes:
        count: Messages.
        seconds: Within how long.
    """

    count: int
    seconds: float


def read_rate(text: object, rule: str) -> Rate:
    """Return the rate that ``"100/minute"`` means.

    Raises:
        PolicyError: It means none.
    """
    form = _FORM.fullmatch(text) if isinstance(text, str) else None
    if form is None:
        raise PolicyError(rule, "a rate is written like '100/minute'")
    seconds = _UNITS.get(form[2])
    if seconds is None:
        instead = hint(form[2], tuple(_UNITS))
        raise PolicyError(rule, f"a rate knows no unit {form[2]!r}: {instead}")
    return Rate(int(form[1]), seconds)


@final
class RateMeter:
    """Counts what lately happened, for each rule and whoever asked.

    Args:
        clock: Tells the time, in seconds; it never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()
        # The thread of a SQLite connection may ask as well.
        self._lock = Lock()

    def is_over(self, key: Hashable, rate: Rate, *, note: bool = True) -> bool:
        """Whether one more is more than *rate*; if not, it is counted.

        Args:
            key: What is counted together.
            rate: How many there may be.
            note: Whether it happens now, or is only asked about.
        """
        with self._lock:
            return self._is_over(key, rate, note=note)

    def _is_over(self, key: Hashable, rate: Rate, *, note: bool) -> bool:
        now = self._clock()
        times: deque[float] = self._times.get(key) or deque()
        while times and times[0] <= now - rate.seconds:
            times.popleft()
        if len(times) >= rate.count:
            return True
        if note:
            times.append(now)
            self._times[key] = times
            self._times.move_to_end(key)
            if len(self._times) > _PRINCIPALS:
                self._times.popitem(last=False)
        return False
