"""At which pace a long piece of work goes on, beside short calls of other tenants.

Rules of this file
* A call that takes microseconds must not wait for ten thousand rows. So while others
  call, work goes on in small pieces, and before each piece it waits until the calls in
  hand are answered.
* It waits for calls that are young. What takes longer is the database's work, and that
  goes on beside ours.
* It never stands still: however many call, it has a share of the time.
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
"""Seconds that may be waited for one of work: so it has a quarter of the time."""

_CREDIT_S: Final = 0.05
"""Seconds that may be waited on end after work that waited for nobody."""

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
        while self.gives_way():  # noqa: ASYNC110  # calls that end tell nobody
            await anyio.sleep(LOOK_S)


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


@final
class SharedPace(Pace):
    """Gives way to the calls of other tenants.

    Args:
        beside: Knows what they do.
        tenant: Whose work it is.
        clock: Tells the time in seconds, and never goes back.
    """

    def __init__(self, beside: Beside, tenant: str, clock: Callable[[], float]) -> None:
        self._beside = beside
        self._tenant = tenant
        self._clock = clock
        self._credit_s = _CREDIT_S
        self._looked = clock()
        self._is_waiting = False

    def at_once(self, count: int, few: int) -> int:
        """Return *few* where others called of late, but no more than *count*."""
        is_crowded = self._clock() - self._beside.seen(self._tenant) < CROWDED_S
        return min(count, few) if is_crowded else count

    def gives_way(self) -> bool:
        """Whether there are young calls of others in hand, as far as there is credit."""
        now = self._clock()
        spent = now - self._looked
        earned = -spent if self._is_waiting else GIVEN * spent
        self._credit_s = min(self._credit_s + earned, _CREDIT_S)
        self._looked = now
        self._is_waiting = (
            self._credit_s > 0
            and now - self._beside.seen(self._tenant) < YOUNG_S
            and self._beside.is_asked(self._tenant)
        )
        return self._is_waiting
