"""A contest: operations timed in turn, A B A B, so that both see the same machine.

Only what was timed in one contest may be compared. The latency of one call has two
modes on small machines, and neighbours come and go: hence many short rounds, and the
ratio is taken per round before its median is.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from time import perf_counter

import msgspec

__all__ = ["Effort", "Operation", "compete"]

Operation = Callable[[], Awaitable[object]]
"""Does the thing once."""

Summary = Callable[[Sequence[float]], float]
"""Makes one number of the seconds of a round."""


class Effort(msgspec.Struct, frozen=True):
    """How long to measure.

    Attributes:
        rounds: Turns of each operation, warm-up not included.
        size: Calls in a turn.
    """

    rounds: int
    size: int

    def scaled(self, *, rounds: float = 1.0, size: float = 1.0) -> Effort:
        """Return more or less of it, never fewer than 3 rounds of 1 call."""
        return Effort(
            max(3, round(self.rounds * rounds)), max(1, round(self.size * size))
        )


async def compete(
    operations: Mapping[str, Operation], effort: Effort, *, of: Summary = median
) -> dict[str, list[float]]:
    """Return the seconds per call of each operation, one figure per round.

    Args:
        operations: By name; each round starts with another one.
        effort: How long to measure; one more round warms up.
        of: What stands for a round, by default its median call.
    """
    order = list(operations)
    for name in order:
        await _turn(operations[name], effort.size)
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(effort.rounds):
        for name in order:
            gc.collect()
            seconds[name].append(of(await _turn(operations[name], effort.size)))
        order.append(order.pop(0))
    return seconds


async def _turn(operation: Operation, size: int) -> list[float]:
    seconds: list[float] = []
    for _ in range(size):
        start = perf_counter()
        await operation()
        seconds.append(perf_counter() - start)
    return seconds
