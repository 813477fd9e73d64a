"""Bulk requests for one node do not wait for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio

from dataflow import DataFlow


async def test_a_source_that_has_no_end_keeps_no_other_waiting(db: DataFlow) -> None:
    @db.model
    class Reading:
        number: int

    started, stored = anyio.Event(), anyio.Event()

    async def endless() -> AsyncIterator[dict[str, Any]]:
        number = 0
        while not stored.is_set():
            number += 1
            started.set()
            yield {"number": number}
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:

            async def load() -> None:
                await db[Reading].bulk_create(endless(), batch_size=100)

            tasks.start_soon(load)
            await started.wait()
            result = await db[Reading].bulk_create([{"number": 0}] * 3)
            stored.set()
            assert result["inserted"] == 3
