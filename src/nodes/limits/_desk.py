"""The desk of an engine: where calls of tenants are let in, or wait outside.

Rules of this file
* What is in a mailbox or in hand has a `Pass`, which is closed once: when the call is
  resolved, or did not get in after all. So every count that goes up comes down.
* Outside there is one queue for each tenant. Only its first call looks whether it may
  come in: when one of the tenant's calls is resolved, when its rate allows the next
  one, or when its limits were changed. Whoever leaves the queue has the next one look.
* What is done across tenants, by whoever looks after them, counts for none.
* A call that a handler of the same database makes belongs to the one it works on: it is
  let in at once, or both would wait for each other.
* It belongs to one event loop; only `look_again` may be called by any thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager, suppress
from functools import partial
from typing import final

from ...actors import Lanes, NewSignal
from ...errors import TenantLimitError
from ...messages import Envelope
from ._account import Account, Pass, Waiter
from ._busy import Busy
from ._lane import lane_of
from ._limits import Limits
from ._pace import Pace, SharedPace

__all__ = ["Desk"]


@final
class Desk:
    """What the tenants of one database have on one event loop.

    It is for all places of a database: the one that its tenants share, and those that
    they may have beside it.

    Args:
        limits: What tenants may have.
        new_signal: Makes what a task waits for.
        post: Has a function called soon on the event loop, by any thread.
    """

    def __init__(
        self,
        limits: Limits,
        new_signal: NewSignal,
        post: Callable[[Callable[[], object]], object],
    ) -> None:
        self.limits = limits
        self.new_signal = new_signal
        self._inside: tuple[str, ...] = ()
        self._post = post
        self._accounts: dict[str, Account] = {}
        self._n_paced = 0
        self._busy = Busy()
        # The tenants that called last, and when: of two, one is somebody else.
        self._latest: tuple[str, float] = ("", -math.inf)
        self._other: tuple[str, float] = ("", -math.inf)

    @property
    def is_counting(self) -> bool:
        """Whether anybody wants to know what tenants have in hand."""
        return self._n_paced > 0 or self.limits.is_limited

    def enter(self, path: str) -> None:
        """Be there for the actors below a supervisor."""
        if not self._inside:
            self.limits.open(self)
        self._inside = (*self._inside, f"{path}/")

    def leave(self, path: str) -> None:
        """Be there for them no more; after the last, not for changes of limits."""
        self._inside = tuple(each for each in self._inside if each != f"{path}/")
        if not self._inside:
            self.limits.close(self)

    def lanes(self, *, has_tenants: bool, tenant: str | None = None) -> Lanes:
        """Return how tenants share the mailbox of a node.

        Args:
            has_tenants: Whether its rows have tenants.
            tenant: The only one it is for; None if it is for all.
        """
        key = lane_of(has_tenants=has_tenants, tenant=tenant)
        return Lanes(key, weight=self.limits.weight, admission=_Door(self, key))

    @contextmanager
    def pace(self, tenant: Hashable) -> Generator[Pace]:
        """Give the pace for a long piece of work, while it lasts.

        Args:
            tenant: Whose it is; anything but a name if it is nobody's.
        """
        if not isinstance(tenant, str):
            yield Pace()
            return
        self._n_paced += 1
        try:
            limits = self.limits
            yield SharedPace(self, tenant, limits.clock, limits.of(tenant).weight)
        finally:
            self._n_paced -= 1
            if not self._n_paced:
                self._busy = Busy()

    def seen(self, tenant: str) -> float:
        """Return when another tenant called last, by the clock; -inf for never.

        It is noted while there is some pace to keep.
        """
        name, at = self._latest
        return self._other[1] if name == tenant else at

    def busy(self, tenant: str) -> float:
        """Return the seconds in which other tenants had calls in hand, so far.

        They count while there is some pace to keep; what two had at once counts twice.
        """
        return self._busy.of_others(tenant, self.limits.clock())

    def is_asked(self, tenant: str) -> bool:
        """Whether calls of other tenants are in hand."""
        return any(
            each.n_in and name != tenant for name, each in self._accounts.items()
        )

    def waiting(self) -> dict[str, int]:
        """Return how many calls of each tenant wait outside."""
        return {
            tenant: len(account.queue)
            for tenant, account in self._accounts.items()
            if account.queue
        }

    def look_again(self, tenant: str) -> None:
        """Have those of a tenant who wait look again: its limits were changed."""
        with suppress(RuntimeError):  # its event loop has ended
            self._post(partial(self._call_first, tenant))

    def _call_first(self, tenant: str) -> None:
        account = self._accounts.get(tenant)
        if account is not None:
            account.call_next()

    def account(self, tenant: Hashable, envelope: Envelope) -> Account | None:
        """Return where a call is counted; None if it is not."""
        if not isinstance(tenant, str):
            return None
        if envelope.scope is not None and envelope.scope.cross_tenant is not None:
            return None
        if any(path.startswith(self._inside) for path in envelope.chain):
            return None
        account = self._accounts.get(tenant)
        if account is None:
            account = self._accounts[tenant] = Account(tenant)
        return account

    def let_in(self, account: Account, envelope: Envelope) -> None:
        """Count a call that goes in."""
        envelope.ticket = Pass(account, self.left)
        if self._n_paced:
            now = self.limits.clock()
            if account.tenant != self._latest[0]:
                self._other = self._latest
            self._latest = account.tenant, now
            self._busy.begin(account.tenant, now)

    def left(self, account: Account) -> None:
        """Let the next one look, now that a call is resolved or has left the queue."""
        if self._n_paced and not account.n_in:
            self._busy.end(account.tenant, self.limits.clock())
        account.call_next()
        self.forget(account)

    def forget(self, account: Account) -> None:
        """Keep no account of nothing."""
        if account.is_idle:
            self._accounts.pop(account.tenant, None)


@final
class _Door:
    """The admission to one mailbox.

    Args:
        desk: Where it is counted.
        key: Tells for whom a message is.
    """

    __slots__ = ("_desk", "_key", "_limits")

    def __init__(self, desk: Desk, key: Callable[[Envelope], Hashable]) -> None:
        self._desk = desk
        self._limits = desk.limits
        self._key = key

    @property
    def is_limited(self) -> bool:
        """Whether any tenant has limits, or gives way to others."""
        return self._desk.is_counting

    def admit_nowait(self, envelope: Envelope) -> bool:
        """Let a call in; False if it is to wait.

        Raises:
            TenantLimitError: It is refused.
        """
        account = self._desk.account(self._key(envelope), envelope)
        if account is None:
            return True
        try:
            if self._delay_s(account, is_first=not account.queue):
                return False
            self._desk.let_in(account, envelope)
            return True
        finally:
            self._desk.forget(account)

    async def admit(self, envelope: Envelope) -> None:
        """Let a call in as soon as may be, in the order of the tenant's calls.

        If cancelled, it is not in.

        Raises:
            TenantLimitError: It is refused.
        """
        if self.admit_nowait(envelope):
            return
        desk = self._desk
        account = desk.account(self._key(envelope), envelope)
        assert account is not None, "who need not wait is in"  # noqa: S101
        waiter = Waiter(desk.new_signal())
        account.queue.append(waiter)
        try:
            while delay_s := self._delay_outside(account, waiter):
                await self._limits.pause(waiter.signal.wait, delay_s)
                waiter.signal = desk.new_signal()
            desk.let_in(account, envelope)
        finally:
            account.queue.remove(waiter)
            desk.left(account)

    def withdraw(self, envelope: Envelope) -> None:
        """Take back what was let in and reached no actor."""
        ticket, envelope.ticket = envelope.ticket, None
        if ticket is not None:
            tenant = self._key(envelope)
            ticket.close()
            self._limits.give_back(str(tenant))

    def _delay_outside(self, account: Account, waiter: Waiter) -> float:
        """Return how long a call in the queue is to wait, in seconds; 0 if it may in."""
        if account.queue[0] is not waiter:
            return math.inf
        limits = self._limits.of(account.tenant)
        if limits.running is not None and account.n_in >= limits.running:
            return math.inf
        return self._limits.take(account.tenant, limits)

    def _delay_s(self, account: Account, *, is_first: bool) -> float:
        """Return how long a new call is to wait, in seconds; 0 if it may in.

        Raises:
            TenantLimitError: It is refused.
        """
        tenant, limits = account.tenant, self._limits.of(account.tenant)
        if limits.waiting is not None and account.waiting >= limits.waiting:
            raise TenantLimitError(tenant, "waiting", limits.waiting)
        if not is_first:
            return math.inf
        refuses = limits.exceeding == "refuse"
        if limits.running is not None and account.n_in >= limits.running:
            if refuses:
                raise TenantLimitError(tenant, "running", limits.running)
            return math.inf
        delay_s = self._limits.take(tenant, limits)
        if delay_s and refuses and limits.per_second is not None:
            raise TenantLimitError(tenant, "per_second", limits.per_second, delay_s)
        return delay_s
