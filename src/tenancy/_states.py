"""What tenants are, as a process knows it: looked up, and believed for a while.

Rules of this file:

1. What was looked up is believed for `FRESH_S`, counted from before it was asked for,
   once there was a connection to ask on. So what another process writes down takes hold
   here within that time; what this process writes down takes hold at once. Of many who
   wait for a connection to ask the same, the first one asks.
2. Nothing is believed that could not be looked up: then messages fail.
3. All engines of a process share it. Values are replaced, never changed, so that threads
   that read need no lock.
4. What was asked for before somebody said that it changed is used, but not believed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, final

import msgspec

from ..drivers import Connection, Driver
from ..errors import UnknownTenantError
from ._register import Register
from ._tenant import State

__all__ = ["FRESH_S", "Seen", "TenantStates"]

FRESH_S: Final = 1.0
"""Seconds for which a state is believed; who deletes a tenant waits as long."""

_KEPT: Final = 10_000
"""Tenants of which the state is kept; 200 bytes each."""


class Seen(msgspec.Struct, frozen=True):
    """What was found of a tenant.

    Attributes:
        state: What it is; None if it is not written down.
        epoch: What tells it from an earlier one of its name.
        reason: Why it is what it is.
        until: When that is to be looked up again, on the clock of the states.
    """

    state: State | None
    epoch: str
    reason: str | None
    until: float

    @property
    def is_there(self) -> bool:
        """Whether there is such a tenant."""
        return self.state is not None and self.state is not State.DELETED


@final
class TenantStates:
    """What the tenants of one database are.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._has_table = False
        self._changing = threading.Lock()
        self._n_forgotten = 0

    def nowait(self, tenant: str) -> Seen | None:
        """Return what is believed of a tenant, None if it must be looked up."""
        seen = self._seen.get(tenant)
        return None if seen is None or seen.until <= self._clock() else seen

    def epoch_nowait(self, tenant: str) -> str | None:
        """Return what tells a tenant from an earlier one of its name.

        None if it must be looked up, or is not there.
        """
        seen = self.nowait(tenant)
        return seen.epoch if seen is not None and seen.is_there else None

    async def epoch(self, driver: Driver, tenant: str) -> str:
        """Do the same, looking it up.

        Raises:
            UnknownTenantError: There is no such tenant.
            DriverError: That was not possible.
        """
        seen = (await self.look(driver, [tenant]))[tenant]
        if not seen.is_there:
            raise UnknownTenantError(tenant)
        return seen.epoch

    async def look(self, driver: Driver, tenants: Iterable[str]) -> dict[str, Seen]:
        """Look up what tenants are.

        Raises:
            DriverError: That was not possible.
        """
        names = [*dict.fromkeys(tenants)]
        async with driver.acquire(write=False) as connection:
            known = {name: self.nowait(name) for name in names}
            seen = {name: each for name, each in known.items() if each is not None}
            left = [name for name in names if name not in seen]
            if left:
                seen |= await self._asked(Register(driver), connection, left)
        return seen

    async def _asked(
        self, register: Register, connection: Connection, names: Sequence[str]
    ) -> dict[str, Seen]:
        until, n_forgotten = self._clock() + FRESH_S, self._n_forgotten
        self._has_table = self._has_table or await register.is_there_in(connection)
        found = await register.read_in(connection, names) if self._has_table else {}
        seen: dict[str, Seen] = {}
        for name in names:
            it = found.get(name)
            seen[name] = (
                Seen(None, "", None, until)
                if it is None
                else Seen(it.state, it.epoch, it.reason, until)
            )
        with self._changing:
            if n_forgotten == self._n_forgotten:
                if len(self._seen) > _KEPT:
                    self._seen = {}
                self._seen.update(seen)
        return seen

    def forget(self, tenant: str) -> None:
        """Look a tenant up the next time, whatever is believed of it."""
        with self._changing:
            self._n_forgotten += 1
            self._seen.pop(tenant, None)
