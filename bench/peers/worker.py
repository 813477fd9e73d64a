"""The process of one peer: does the operations, prints what they took as JSON.

Called as ``worker.py MODULE`` with a JSON object on standard input: the target, and
how much of everything to do.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers.rows import CALLERS, CannotError, Peer, Target, new_people

LONGEST_S: Final = 90.0
"""Seconds that all rounds of an operation may take."""

_ENOUGH_S: Final = 20.0
"""Seconds after which no further round begins, if there is one already."""

_LISTED: Final = 1_000


@dataclass(frozen=True)
class Size:
    """How much to do.

    Attributes:
        rounds: Of each operation, after one to warm up.
        calls: Of one caller in a round.
        rows: In a bulk create.
    """

    rounds: int
    calls: int
    rows: int


async def _timed(operation: Awaitable[object]) -> float:
    start = perf_counter()
    await operation
    return perf_counter() - start


async def _create(peer: Peer, size: Size) -> float:
    """Return the seconds of a create, like the other rounds do of their operation."""
    people = new_people(size.calls)
    return median([await _timed(peer.create(person)) for person in people])


async def _read(peer: Peer, size: Size) -> float:
    keys = range(1, size.calls + 1)
    return median([await _timed(peer.read(key)) for key in keys])


async def _create_together(peer: Peer, size: Size) -> float:
    people = new_people(CALLERS * size.calls)

    async def call() -> None:
        for _ in range(size.calls):
            await peer.shared_create(people.pop())

    calls = [call() for _ in range(CALLERS)]
    return await _timed(asyncio.gather(*calls)) / (CALLERS * size.calls)


async def _read_together(peer: Peer, size: Size) -> float:
    keys = cycle(range(1, size.calls + 1))

    async def call() -> None:
        for _ in range(size.calls):
            await peer.shared_read(next(keys))

    calls = [call() for _ in range(CALLERS)]
    return await _timed(asyncio.gather(*calls)) / (CALLERS * size.calls)


async def _bulk_create(peer: Peer, size: Size) -> float:
    people = new_people(size.rows)
    return await _timed(peer.bulk_create(people)) / size.rows


async def _list(peer: Peer, size: Size) -> float:
    del size
    return await _timed(peer.list_first(_LISTED))


# The first makes the rows that the second reads, under the keys from 1 on.
OPERATIONS: Final[dict[str, Callable[[Peer, Size], Awaitable[float]]]] = {
    "create": _create,
    "read": _read,
    f"create, {CALLERS} callers": _create_together,
    f"read, {CALLERS} callers": _read_together,
    "bulk create": _bulk_create,
    f"list {_LISTED}": _list,
}


_STORES: Final[dict[str, Callable[[Size], int]]] = {
    "create": lambda size: size.calls,
    f"create, {CALLERS} callers": lambda size: CALLERS * size.calls,
    "bulk create": lambda size: size.rows,
}
"""Rows that a round of each operation stores."""


async def _rounds(
    operation: Callable[[Peer, Size], Awaitable[float]], peer: Peer, size: Size
) -> list[float]:
    seconds: list[float] = []
    start = perf_counter()
    for _ in range(size.rounds + 1):
        gc.collect()
        seconds.append(await operation(peer, size))
        if len(seconds) > 1 and perf_counter() - start > _ENOUGH_S:
            break
    return seconds[1:]


async def _measure(
    peer: Peer, target: Target, size: Size
) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    # Not `wait_for`: in a task of its own, what it opens may be invisible here.
    async with asyncio.timeout(LONGEST_S):
        await peer.open(target)
    for name, operation in OPERATIONS.items():
        try:
            async with asyncio.timeout(LONGEST_S):
                seconds = await _rounds(operation, peer, size)
            of_round = _STORES[name](size) if name in _STORES else 0
            stored = of_round * (len(seconds) + 1)
            yield name, {"seconds": seconds, "stored": stored}
        except CannotError as reason:
            yield name, {"cannot": str(reason)}
        except TimeoutError:
            yield name, {"cannot": f"not done within {LONGEST_S:.0f} s"}
        except Exception as error:  # noqa: BLE001  # whatever a peer raises
            yield name, {"cannot": f"{type(error).__name__}: {error}"[:300]}
    await peer.close()


async def _main(module: str, given: dict[str, Any]) -> None:
    peer: Peer = import_module(f"peers.{module}").make()
    target, size = Target(**given["target"]), Size(**given["size"])
    async for name, figures in _measure(peer, target, size):
        print(json.dumps([name, figures]), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], json.load(sys.stdin)))
