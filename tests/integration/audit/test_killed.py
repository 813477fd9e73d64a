"""A process that is killed leaves a row and its record, or neither."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import anyio
import pytest

from dataflow import PII, DataFlow
from dataflow.protection import allow

SCRIPT = """
import sys
from typing import Annotated
import anyio
from dataflow import PII, DataFlow

db = DataFlow(sys.argv[1], privacy_keys="the key that wraps others")

@db.model
class Thing:
    n: int
    of: Annotated[str, PII("name")] = "somebody"
    __dataflow__ = {"audit": "changes", "subject": True}

async def write(start):
    for n in range(start, 1_000_000, 4):
        if n % 3:
            await db["Thing"].create(n=n)
        else:
            await db["Thing"].bulk_create([{"n": n}] * 5)
        print(n, flush=True)

async def main():
    async with db, anyio.create_task_group() as tasks:
        for start in range(4):
            tasks.start_soon(write, start)

anyio.run(main)
"""


@pytest.mark.parametrize("n_lines", [3, 17, 40])
def test_neither_is_there_without_the_other(database_url: str, n_lines: int) -> None:
    with subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, "-c", SCRIPT, database_url], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(n_lines):
            assert process.stdout.readline()
        process.kill()

    async def look() -> tuple[int, int]:
        allowed = [allow("unmask")]
        db = DataFlow(
            database_url, protection=allowed, privacy_keys="the key that wraps others"
        )

        @db.model
        class Thing:
            n: int
            of: Annotated[str, PII("name")] = "somebody"

            __dataflow__ = {"audit": "changes", "subject": True}  # noqa: RUF012

        async with db:
            found = await db.audit.verify()
            rows = (await db["Thing"].list(limit=None))["records"]
            for row in rows:  # each of them has the key that sealed its record
                (made,) = await db["Thing"].history(row["id"])
                assert made.new == row
        await db.aclose()
        return len(rows), found.n_events

    count, n_events = anyio.run(look)
    assert count == n_events >= n_lines
