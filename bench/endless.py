"""A process that stores rows from a generator and watches its own memory.

It runs by itself, see `memory`, and prints one line of JSON: the resident size at
each sample, in bytes, how many rows are stored, and the seconds that it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final, cast

from people import Person, declare, new_person

from dataflow import DataFlow

SAMPLES: Final = 100
"""How often the memory is looked at."""

_PAGES: Final = Path("/proc/self/statm")
_PAGE: Final = 4096


def _resident() -> int:
    """Return the bytes that are resident now."""
    # Peaks, which other systems tell, cannot fall, but growth shows in them too.
    if _PAGES.exists():
        return int(_PAGES.read_text().split()[1]) * _PAGE
    import resource  # noqa: PLC0415  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _people(n_rows: int, sizes: list[int]) -> Iterator[Person]:
    """Yield new rows; every hundredth part of them, note the memory."""
    every = max(1, n_rows // SAMPLES)
    for number in range(1, n_rows + 1):
        yield new_person()
        if number % every == 0:
            sizes.append(_resident())


async def _store(url: str, n_rows: int) -> dict[str, Any]:
    sizes: list[int] = []
    async with DataFlow(url) as db:
        declare(db)
        await db.initialize()
        people = db["Person"]
        start = perf_counter()
        # A generator will do, though a list is what the signature asks for today.
        data = cast("list[Person]", _people(n_rows, sizes))
        await people.bulk_create(data)
        seconds = perf_counter() - start
        sizes.append(_resident())
        return {"sizes": sizes, "stored": await people.count(), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_store(sys.argv[1], int(sys.argv[2])))))
