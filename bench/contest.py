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

import anyio
import msgspec

__all__ = ["Effort", "Operation", "alternate", "compete", "together"]

Operation = Callable[[], Awaitable[object]]
"""Does the thing once."""

Summary = Callable[[Sequence[float]], float]
"""Makes one number of the seconds of a turn."""


class Effort(msgspec.Struct, frozen=True):
    """How long to measure.

    Attributes:
        rounds: Turns of each operation, warm-up not included.
        size: Calls in a turn.
        rows: Rows that a bulk operation handles.
    """

    rounds: int
    size: int
    rows: int

    def scaled(self, *, rounds: float = 1.0, size: float = 1.0) -> Effort:
        """Return more or less of it, never fewer than 3 rounds of 1 call."""
        return msgspec.structs.replace(
            self,
            rounds=max(3, round(self.rounds * rounds)),
            size=max(1, round(self.size * size)),
        )


async def compete(
    operations: Mapping[str, Operation],
    effort: Effort,
    *,
    of: Summary = median,
    before: Operation | None = None,
) -> dict[str, list[float]]:
    """Return the seconds per call of each operation, one figure per round.

    Args:
        operations: By name; each round starts with another one.
        effort: How long to measure; one more round warms up.
        of: What stands for a turn, by default its median call.
        before: Makes ready what a turn needs: new rows, an empty table. Not timed.
    """
    order = list(operations)
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for number in range(effort.rounds + 1):
        for name in order:
            if before is not None:
                await before()
            gc.collect()
            turn = of(await _turn(operations[name], effort.size))
            if number:
                seconds[name].append(turn)
        order.append(order.pop(0))
    return seconds


async def alternate(
    operations: Mapping[str, Operation], effort: Effort
) -> dict[str, list[float]]:
    """Return the seconds of the median call of each operation, one figure per round.

    They take turns call by call, for differences that are smaller than what the
    machine's speed changes from one turn of `compete` to the next.

    Args:
        operations: By name; each round starts with another one.
        effort: How long to measure; one more round warms up.
    """
    order = list(operations)
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for number in range(effort.rounds + 1):
        gc.collect()
        calls: dict[str, list[float]] = {name: [] for name in order}
        for _ in range(effort.size):
            for name in order:
                calls[name] += await _turn(operations[name], 1)
        if number:
            for name in order:
                seconds[name].append(median(calls[name]))
        order.append(order.pop(0))
    return seconds


async def _turn(operation: Operation, size: int) -> list[float]:
    seconds: list[float] = []
    for _ in range(size):
        start = perf_counter()
        await operation()
        seconds.append(perf_counter() - start)
    return seconds


def together(operation: Operation, *, callers: int, calls: int) -> Operation:
    """Return what has *callers* tasks of one event loop do *calls* operations each."""

    async def call() -> None:
        for _ in range(calls):
            await operation()

    async def all_of_them() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(callers):
                tasks.start_soon(call)

    return all_of_them
