"""A bucket of tokens: how often something may be done.

Source: J. S. Turner, *New Directions in Communications (or Which Way to the Information
Age?)*, IEEE Communications Magazine 24(10), 1986: the bucket that leaks, here one that
is filled at a steady rate and holds so much at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

__all__ = ["TokenBucket"]


@final
class TokenBucket:
    """Filled at a steady rate; full at the beginning.

    Not for several threads at once: whoever shares it has a lock.

    Args:
        per_second: Tokens that come in a second, more than 0.
        size: Tokens it holds at most, at least 1.
        clock: Tells the time in seconds, and never goes back.
    """

    __slots__ = ("_at", "_clock", "_tokens", "per_second", "size")

    def __init__(
        self, per_second: float, size: float, clock: Callable[[], float]
    ) -> None:
        self.per_second = per_second
        self.size = size
        self._clock = clock
        self._tokens = size
        self._at = clock()

    @property
    def delay_s(self) -> float:
        """Seconds until there is a token; 0 if there is one now."""
        self._fill()
        return max(0.0, (1.0 - self._tokens) / self.per_second)

    @property
    def is_full(self) -> bool:
        """Whether nothing was taken that has not come back."""
        self._fill()
        return self._tokens >= self.size

    def take_nowait(self) -> bool:
        """Take a token; False if there is none."""
        self._fill()
        # Sums of floats may fall short by a rounding: a wait must not be for nothing.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """Put a token back that was not used."""
        self._fill()
        self._tokens = min(self.size, self._tokens + 1.0)

    def change(self, per_second: float, size: float) -> None:
        """Go on at another rate, with what there is."""
        self._fill()
        self.per_second = per_second
        self.size = size
        self._tokens = min(self._tokens, size)

    def _fill(self) -> None:
        now = self._clock()
        came = (now - self._at) * self.per_second
        self._at = now
        self._tokens = min(self.size, self._tokens + came)
