"""The limits of tenants, and what is left of their rates.

One for a database, on all event loops: what changes here is behind a lock, or replaced
as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Final, Protocol, TypeAlias, cast, final

import anyio

from ...lanes import TokenBucket
from ._tenant_limits import TenantLimits

__all__ = ["GivenLimits", "Limits", "Pause"]

GivenLimits: TypeAlias = (
    TenantLimits | Mapping[str, TenantLimits] | Callable[[str], TenantLimits | None]
)
"""Limits of every tenant, or only those of some, as for `TenantLimits.overrides`."""

Pause: TypeAlias = Callable[[Callable[[], Awaitable[object]], float], Awaitable[object]]
"""Waits for what a function returns, for so many seconds at most."""

_KNOWN: Final = 10_000
"""Tenants whose limits are remembered, and whose rates, before it is looked again."""

_LEAST_S: Final = 1e-6
"""Seconds that a call waits at least for its rate."""


class _Listener(Protocol):
    """Wants to know when limits are changed."""

    def look_again(self, tenant: str) -> None:
        """Have those who wait look again; called by any thread."""
        ...


async def _pause(wait: Callable[[], Awaitable[object]], seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await wait()


@final
class Limits:
    """What the tenants of a database may have.

    Args:
        given: As the user gave it; None if nobody has limits.
        clock: Tells the time in seconds, and never goes back.
        pause: Waits for a signal, for a limited time.

    Attributes:
        is_limited: Whether any tenant has limits.
        clock: As given.
        pause: As given.

    Raises:
        TypeError: Something given is no limits.
        ValueError: An override has overrides.
    """

    def __init__(
        self,
        given: GivenLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = _pause,
    ) -> None:
        if given is None:
            given = TenantLimits()
        elif not isinstance(given, TenantLimits):
            given = TenantLimits(overrides=given)
        self.pause: Pause = pause
        self._default = given
        self._overrides = _checked_overrides(given.overrides)
        self.is_limited = given.is_limiting or bool(given.overrides)
        self.clock = clock
        self._lock = Lock()
        self._changed: dict[str, TenantLimits] = {}
        self._known: dict[str, TenantLimits] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._desks: tuple[_Listener, ...] = ()

    # -- limits ------------------------------------------------------------------

    def of(self, tenant: str) -> TenantLimits:
        """Return what a tenant may have now.

        Raises:
            TypeError: What is asked for overrides returned no limits.
        """
        known = self._known.get(tenant)
        return known or self._find(tenant)

    def limit(self, tenant: str, limits: TenantLimits) -> None:
        """Let a tenant have this from now on; calls that wait look again."""
        _check_override(tenant, limits)
        with self._lock:
            self._changed[tenant] = limits
            self._known[tenant] = limits
            self.is_limited = True
        self._look_again(tenant)

    def unlimit(self, tenant: str) -> None:
        """Let a tenant have again what was given at first."""
        with self._lock:
            self._changed.pop(tenant, None)
            self._known.pop(tenant, None)
        self._look_again(tenant)

    def weight(self, lane: Hashable) -> float:
        """Return how much of the turns a lane gets; as far as it was asked before."""
        known = self._known.get(cast("str", lane))
        return self._default.weight if known is None else known.weight

    def _find(self, tenant: str) -> TenantLimits:
        found = self._changed.get(tenant)
        if found is None:
            overrides = self._overrides
            asked: Any = overrides(tenant)
            if asked is not None:
                _check_override(tenant, asked)
            found = cast("TenantLimits | None", asked) or self._default
        with self._lock:
            if len(self._known) >= _KNOWN:
                self._known = dict(self._changed)
            # Somebody may have changed them while they were asked for.
            self._known[tenant] = self._changed.get(tenant, found)
            return self._known[tenant]

    # -- rates -------------------------------------------------------------------

    def take(self, tenant: str, limits: TenantLimits) -> float:
        """Count one call of a tenant, if it may be made now.

        Returns:
            0, or how long it is to wait, in seconds.
        """
        rate, size = limits.per_second, limits.bucket_size
        if rate is None:
            return 0.0
        with self._lock:
            bucket = self._buckets.get(tenant)
            if bucket is None:
                self._forget_some()
                bucket = TokenBucket(rate, size, self.clock)
                self._buckets[tenant] = bucket
            elif (bucket.per_second, bucket.size) != (rate, size):
                bucket.change(rate, size)
            # Not 0, however the division is rounded: the call was not counted.
            return 0.0 if bucket.take_nowait() else max(bucket.delay_s, _LEAST_S)

    def give_back(self, tenant: str) -> None:
        """Count a call no more that was not made after all."""
        with self._lock:
            bucket = self._buckets.get(tenant)
            if bucket is not None:
                bucket.give_back()

    def _forget_some(self) -> None:
        """Forget full buckets: new ones are full as well."""
        if len(self._buckets) >= _KNOWN:
            kept = {n: each for n, each in self._buckets.items() if not each.is_full}
            self._buckets = kept

    # -- desks -------------------------------------------------------------------

    def open(self, desk: _Listener) -> None:
        """Tell a desk from now on when limits are changed."""
        with self._lock:
            self._desks = (*self._desks, desk)

    def close(self, desk: _Listener) -> None:
        """Tell a desk nothing any more."""
        with self._lock:
            self._desks = tuple(each for each in self._desks if each is not desk)

    def _look_again(self, tenant: str) -> None:
        for desk in self._desks:
            desk.look_again(tenant)


def _checked_overrides(
    given: Mapping[str, TenantLimits] | Callable[[str], TenantLimits | None],
) -> Callable[[str], TenantLimits | None]:
    """Return what is asked for the limits of a tenant.

    Raises:
        TypeError: They are none.
        ValueError: An override has overrides.
    """
    if isinstance(given, Mapping):
        # To pyright a callable may be a mapping as well, of what it cannot know.
        copy: dict[str, TenantLimits] = dict(given)  # pyright: ignore[reportUnknownArgumentType]
        for tenant, limits in copy.items():
            _check_override(tenant, limits)
        return copy.get
    if not callable(cast("object", given)):
        msg = "tenant limits are TenantLimits, a mapping of them by tenant, or a "
        msg += f"function that returns them, not {type(given).__name__}"
        raise TypeError(msg)
    return given


def _check_override(tenant: object, limits: object) -> None:
    if not isinstance(tenant, str) or not tenant.strip():
        msg = "a tenant is named by a str that is not empty"
        raise TypeError(msg)
    if not isinstance(limits, TenantLimits):
        msg = f"the limits of a tenant are TenantLimits, not {type(limits).__name__}"
        raise TypeError(msg)
    if limits.overrides:
        msg = "the limits of one tenant have no overrides: only those of all have"
        raise ValueError(msg)
