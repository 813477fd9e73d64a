"""What one tenant has in the mailboxes of an engine, and who waits outside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, final

from ...actors import Signal

__all__ = ["Account", "Pass", "Waiter"]


@final
class Waiter:
    """A call that waits to be let in; its signal is set when to look again."""

    __slots__ = ("signal",)

    def __init__(self, signal: Signal) -> None:
        self.signal: Signal = signal


@final
class Account:
    """What one tenant has.

    Attributes:
        tenant: Which.
        n_in: Calls that are in mailboxes or in hand.
        n_begun: Those of them that were begun.
        queue: Calls that wait to be let in, the first one first.
    """

    __slots__ = ("n_begun", "n_in", "queue", "tenant")

    def __init__(self, tenant: str) -> None:
        self.tenant: Final = tenant
        self.n_in = 0
        self.n_begun = 0
        self.queue: deque[Waiter] = deque()

    @property
    def waiting(self) -> int:
        """Calls that were not begun yet."""
        return len(self.queue) + self.n_in - self.n_begun

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.n_in or self.queue)

    def call_next(self) -> None:
        """Let the first that waits look again whether it may come in."""
        if self.queue:
            self.queue[0].signal.set()


@final
class Pass:
    """The ticket of one call that was let in."""

    __slots__ = ("_account", "_is_begun", "_is_closed", "_left")

    def __init__(self, account: Account, left: Callable[[Account], None]) -> None:
        self._account = account
        self._left = left
        self._is_begun = self._is_closed = False
        account.n_in += 1

    def begin(self) -> None:
        """Count it as begun."""
        if not (self._is_begun or self._is_closed):
            self._is_begun = True
            self._account.n_begun += 1

    def close(self) -> None:
        """Count it no more."""
        if self._is_closed:
            return
        self._is_closed = True
        account = self._account
        account.n_in -= 1
        account.n_begun -= self._is_begun
        self._left(account)
