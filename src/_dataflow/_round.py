"""The same work for one tenant after the other.

What is done stays done, whatever ends the round: who begins another one for those that
are left goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, final

from ..errors import DataFlowError

__all__ = ["OnTenant", "Round"]

T = TypeVar("T")

OnTenant = Callable[[str, int, int], object]
"""Told of each tenant that is done, how many that makes, and of how many."""


@final
class Round(Generic[T]):
    """One round.

    Args:
        names: The tenants, in order.
        keep_going: Whether to go on with the next one where one fails.
        on_tenant: Told how far it is.

    Attributes:
        done: By tenant, what came of it.
        problems: By tenant, what went wrong.
    """

    def __init__(
        self, names: Sequence[str], *, keep_going: bool, on_tenant: OnTenant | None
    ) -> None:
        self._names = names
        self._keep_going = keep_going
        self._on_tenant = on_tenant
        self.done: dict[str, T] = {}
        self.problems: dict[str, str] = {}

    @property
    def left(self) -> tuple[str, ...]:
        """Those that were not tried."""
        tried = {*self.done, *self.problems}
        return tuple(each for each in self._names if each not in tried)

    async def go(self, work: Callable[[str], Awaitable[T]]) -> None:
        """Call *work* with one tenant after the other.

        If cancelled, what was done for those before is kept.
        """
        for name in self._names:
            try:
                result = await work(name)
            except DataFlowError as error:
                self.problems[name] = str(error)
                if not self._keep_going:
                    return
            else:
                self.done[name] = result
                if self._on_tenant is not None:
                    self._on_tenant(name, len(self.done), len(self._names))
