"""At which pace a long piece of work goes on, beside short calls of other tenants.

Rules of this file
* A call that takes microseconds must not wait for ten thousand rows. So while others
  call, work goes on in small pieces, and before each piece it waits until the calls in
  hand are answered, and those who made them have run.
* It waits for calls that are young. What takes longer is the database's work, and that
  goes on beside ours.
* It never stands still: however many call, it has a share of the time, by the weight of
  its tenant. What counts as waiting is the time in which calls were in hand: a look
  comes a millisecond later, when most of them are answered long since.
* Where nobody else calls, it goes on in large pieces, and is asked for nothing more
  than to look.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, final

import anyio
from anyio.lowlevel import checkpoint

__all__ = ["Beside", "Pace", "SharedPace", "full_pace"]

CROWDED_S: Final = 1.0
"""Seconds for which work goes on in small pieces after somebody else's last call."""

YOUNG_S: Final = 0.005
"""Age in seconds up to which a call in hand is waited for."""

GIVEN: Final = 3.0
"""Seconds of calls that are waited for, for one of work of a tenant with the weight 1.

So it has a quarter of the time at least.
"""

_CREDIT_S: Final = 0.05
"""Seconds of calls that may be waited for on end, after work that waited for none."""

LOOK_S: Final = 0.001
"""Seconds between two looks; event loops wait no shorter.

Source: CPython, asyncio/selector_events and `select.epoll.poll`: timeouts are rounded
up to milliseconds.
"""


class Pace:
    """Goes on at full pace, for work that is nobody's in particular."""

    def at_once(self, count: int, few: int) -> int:
        """Return how many rows to deal with before others go on.

        Args:
            count: As many as pay.
            few: As many as a short call may wait for.
        """
        del few
        return count

    def gives_way(self) -> bool:
        """Whether to wait a millisecond, and to ask again, before the next piece."""
        return False

    async def go_on(self) -> None:
        """Let others go on, between two pieces of the work.

        If cancelled, nothing is left behind.
        """
        await checkpoint()


def full_pace(request: object) -> AbstractContextManager[Pace]:
    """Give full pace, whatever the request."""
    del request
    return nullcontext(Pace())


class Beside(Protocol):
    """Knows what others do."""

    def seen(self, tenant: str) -> float:
        """Return when somebody else called last, by the clock; -inf for never."""
        ...

    def is_asked(self, tenant: str) -> bool:
        """Whether calls of somebody else are in hand."""
        ...

    def busy(self, tenant: str) -> float:
        """Return the seconds in which they were, so far."""
        ...


@final
class SharedPace(Pace):
    """Gives way to the calls of other tenants.

    Args:
        beside: Knows what they do.
        tenant: Whose work it is.
        clock: Tells the time in seconds, and never goes back.
        weight: Of the tenant.
    """

    def __init__(
        self,
        beside: Beside,
        tenant: str,
        clock: Callable[[], float],
        weight: float = 1.0,
    ) -> None:
        self._beside = beside
        self._tenant = tenant
        self._clock = clock
        self._given = GIVEN / weight
        self._credit_s = _CREDIT_S
        self._looked = clock()
        self._is_waiting = False
        self._busy_s = beside.busy(tenant)

    def at_once(self, count: int, few: int) -> int:
        """Return *few* where others called of late, but no more than *count*."""
        is_crowded = self._clock() - self._beside.seen(self._tenant) < CROWDED_S
        return min(count, few) if is_crowded else count

    def gives_way(self) -> bool:
        """Whether there are young calls of others in hand, as far as there is credit."""
        now, busy_s = self._clock(), self._beside.busy(self._tenant)
        spent_s = now - self._looked
        if self._is_waiting:
            self._credit_s -= min(spent_s, busy_s - self._busy_s)
        else:
            self._credit_s = min(self._credit_s + self._given * spent_s, _CREDIT_S)
        self._looked, self._busy_s = now, busy_s
        self._is_waiting = self._credit_s > 0 and self._finds_calls(now)
        return self._is_waiting

    def _finds_calls(self, now: float) -> bool:
        beside, tenant = self._beside, self._tenant
        return now - beside.seen(tenant) < YOUNG_S and beside.is_asked(tenant)

    async def go_on(self) -> None:
        """Let others go on, and wait for those who have calls in hand."""
        await checkpoint()
        while True:
            while self.gives_way():  # noqa: ASYNC110  # calls that end tell nobody
                await anyio.sleep(LOOK_S)
            if self._credit_s <= 0:
                return
            # Who has just been answered is not in hand, but runs only now, and may
            # call again: otherwise calls of another tenant took 1.8, not 1.2 times as
            # long as without a flood (the 99th of 100, PostgreSQL).
            await checkpoint()
            self._looked = self._clock()  # it was no work, which would earn credit
            if not self.gives_way():
                return
