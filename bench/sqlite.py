"""What an operation on SQLite costs, over aiosqlite's own calls.

Both sides journal alike: WAL, ``synchronous=NORMAL``.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import aiosqlite
from contest import Effort, Operation, compete
from figure import Figure, Limit, Versus
from people import COLUMNS, INSERT_SQLITE, READ_SQLITE, declare, new_person, one_node

from dataflow import DataFlow

__all__ = ["MEASURES", "measure"]

CREATE_AT_MOST: Final = Limit(Versus.RATIO, 1.0)
PLACE: Final = "SQLite, asyncio"


@asynccontextmanager
async def _opened() -> AsyncGenerator[tuple[aiosqlite.Connection, DataFlow]]:
    """Give a connection of aiosqlite and a DataFlow, to a database in a folder."""
    with tempfile.TemporaryDirectory(prefix="dataflow-bench-") as folder:
        path = Path(folder) / "bench.db"
        async with DataFlow(f"sqlite:///{path}") as db:
            declare(db)
            await db.initialize()
            async with aiosqlite.connect(path) as client:
                await client.execute("PRAGMA journal_mode = WAL")
                await client.execute("PRAGMA synchronous = NORMAL")
                yield client, db


async def _measure_create(effort: Effort) -> list[Figure]:
    async with _opened() as (client, db):
        workflow = one_node(db, "PersonCreateNode", *COLUMNS)
        people = db["Person"]

        async def raw() -> None:
            await client.execute(INSERT_SQLITE, tuple(new_person().values()))
            await client.commit()

        seconds = await compete(
            {
                "raw": raw,
                "ours": lambda: db.run(workflow, parameters={"it": new_person()}),
                "direct": lambda: people.create(**new_person()),
            },
            effort,
        )
    return _figures("create", seconds, "aiosqlite, execute, commit", CREATE_AT_MOST)


async def _measure_read(effort: Effort) -> list[Figure]:
    async with _opened() as (client, db):
        people = db["Person"]
        ids = [(await people.create(**new_person()))["id"] for _ in range(100)]
        turns = cycle(ids)
        workflow = one_node(db, "PersonReadNode", "record_id")

        async def raw() -> Any:  # noqa: ANN401  # a row
            async with client.execute(READ_SQLITE, (next(turns),)) as cursor:
                return await cursor.fetchone()

        one_hop: Operation = lambda: client.execute_fetchall(  # noqa: E731
            READ_SQLITE, (next(turns),)
        )
        seconds = await compete(
            {
                "raw": raw,
                "ours": lambda: db.run(
                    workflow, parameters={"it": {"record_id": next(turns)}}
                ),
                "direct": lambda: people.read(next(turns)),
                "one hop": one_hop,
            },
            effort,
        )
    best = Figure.against_raw(
        "read",
        PLACE,
        ours=seconds["ours"],
        raw=seconds["one hop"],
        against="aiosqlite, execute_fetchall",
    )
    return [*_figures("read", seconds, "aiosqlite, execute, fetchone"), best]


def _figures(
    operation: str,
    seconds: dict[str, list[float]],
    against: str,
    limit: Limit | None = None,
) -> list[Figure]:
    return [
        Figure.against_raw(
            operation,
            PLACE,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against=against,
            limit=limit,
        ),
        Figure.against_raw(
            f"{operation}, direct call",
            PLACE,
            ours=seconds["direct"],
            raw=seconds["raw"],
            against=against,
        ),
    ]


MEASURES: Final = {"create": _measure_create, "read": _measure_read}


def measure(name: str, effort: Effort) -> list[Figure]:
    """Return the figures of *name*, one of `MEASURES`."""
    return asyncio.run(MEASURES[name](effort))
