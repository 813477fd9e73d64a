"""For how long tenants have had calls in hand."""

from __future__ import annotations

from typing import final

__all__ = ["Busy"]


@final
class Busy:
    """The seconds in which tenants had calls in hand, by a clock of the caller's.

    All of it takes the same time however many tenants there are.
    """

    def __init__(self) -> None:
        self._total_s = 0.0
        self._own_s: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._sum_since = 0.0

    def begin(self, tenant: str, now: float) -> None:
        """Note that a tenant has a call in hand; of several, the first counts."""
        if tenant not in self._since:
            self._since[tenant] = now
            self._sum_since += now

    def end(self, tenant: str, now: float) -> None:
        """Note that it has none any more."""
        since = self._since.pop(tenant, None)
        if since is not None:
            self._sum_since -= since
            self._total_s += now - since
            self._own_s[tenant] = self._own_s.get(tenant, 0.0) + now - since

    def of_others(self, tenant: str, now: float) -> float:
        """Return the seconds of all tenants but one; two at once count twice."""
        going_on = len(self._since) * now - self._sum_since
        own = self._own_s.get(tenant, 0.0) + now - self._since.get(tenant, now)
        return self._total_s + going_on - own
