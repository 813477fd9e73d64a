"""Restarts: who is restarted, when, and when a supervisor gives up."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from random import Random
from typing import final

import msgspec

__all__ = ["Restart", "RestartPolicy", "RestartWindow", "Strategy"]


class Strategy(StrEnum):
    """Which children a supervisor restarts when one of them crashes.

    Source: Erlang/OTP, *supervisor*, "Supervision strategies".
    """

    ONE_FOR_ONE = "one_for_one"
    """Only the one that crashed."""
    ONE_FOR_ALL = "one_for_all"
    """All of them."""
    REST_FOR_ONE = "rest_for_one"
    """The one that crashed, and those that were started after it."""


class Restart(StrEnum):
    """Whether a child is restarted when it ends.

    Source: Erlang/OTP, *supervisor*, "Child specification", key `restart`.
    """

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only when it crashed."""
    TEMPORARY = "temporary"
    """Never."""


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how fast a supervisor restarts its children.

    Attributes:
        max_restarts: Restarts within the window before the supervisor gives up.
        window_s: Length of the window, in seconds.
        first_delay_s: Upper bound of the first delay; it doubles with each
            restart within the window.
        max_delay_s: Upper bound of every delay.
    """

    max_restarts: int = 3
    window_s: float = 5.0
    first_delay_s: float = 0.05
    max_delay_s: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                msg = f"{name} of a restart policy is negative: {getattr(self, name)}"
                raise ValueError(msg)

    def delay_s(self, attempt: int, random: Random) -> float:
        """Return the wait before restart number *attempt*, in seconds.

        Full jitter: anything from 0 to the bound, so that actors that crashed
        together do not come back together.
        Source: M. Brooker, "Exponential Backoff And Jitter", AWS, 2015.

        Args:
            attempt: 1 for the first restart within the window.
            random: Where the jitter comes from.
        """
        # Beyond 2**60 no bound is reached any more, and at 2**1024 floats end.
        growth = 2.0 ** min(attempt - 1, 60)
        bound = min(self.max_delay_s, self.first_delay_s * growth)
        return random.uniform(0, bound)


@final
class RestartWindow:
    """The restarts that count: those within the window of a policy."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._times: deque[float] = deque()

    def admit(self, now: float) -> int | None:
        """Count a restart at time *now*, in seconds.

        Returns:
            Its number within the window, 1 for the first; None when there were
            too many.
        """
        while self._times and now - self._times[0] > self._policy.window_s:
            self._times.popleft()
        if len(self._times) >= self._policy.max_restarts:
            return None
        self._times.append(now)
        return len(self._times)

    def clear(self) -> None:
        """Forget what was counted, after the supervisor itself was restarted."""
        self._times.clear()
