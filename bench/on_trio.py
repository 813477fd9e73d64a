"""One caller on trio, over asyncpg on the asyncio loop inside it: for information."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import cycle
from typing import Any, Final

import anyio
from contest import Effort, Operation, compete
from figure import Figure
from job import Job
from people import (
    COLUMNS,
    READ_POSTGRESQL,
    Supply,
    declare,
    new_person,
    one_node,
    to_postgresql,
)
from postgresql import INSERT_KEY
from server import Server

from dataflow import DataFlow

__all__ = ["NAMES", "jobs"]

NAMES: Final = ("create", "read")
PLACE: Final = "PostgreSQL, trio"

_STORED: Final = 100

_asyncpg: Any = import_module("asyncpg")  # it has no types


def jobs(server: Server, name: str, effort: Effort) -> list[Job]:
    """Return what to measure of *name*, one of `NAMES`."""

    def measure() -> list[Figure]:
        return anyio.run(_measure, server.url, name, effort, backend="trio")

    return [Job(name, name, PLACE, measure)]


async def _measure(url: str, name: str, effort: Effort) -> list[Figure]:
    async with DataFlow(url) as db:
        # Entered first: it imports trio-asyncio so that asyncio stays as it was, and
        # its loop serves both sides, one crossing a call.
        trio_asyncio: Any = import_module("trio_asyncio")  # it has no types
        cross: Callable[[Any], Any] = trio_asyncio.aio_as_trio
        declare(db)
        await db.initialize()
        client = await cross(_asyncpg.connect)(url)
        supply = Supply(effort.size)
        try:
            make = _create if name == "create" else _read
            raw, ours = await make(client, db, cross, supply)
            sides = {"raw": raw, "ours": ours}
            seconds = await compete(sides, effort, before=supply.refill)
        finally:
            await cross(client.close)()
    return [
        Figure(
            operation=name,
            place=PLACE,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against="asyncpg, prepared, over trio-asyncio",
        )
    ]


async def _create(
    client: Any,  # noqa: ANN401  # asyncpg has no types
    db: DataFlow,
    cross: Callable[[Any], Any],
    supply: Supply,
) -> tuple[Operation, Operation]:
    insert = cross((await cross(client.prepare)(INSERT_KEY)).fetchval)
    workflow = one_node(db, "PersonCreateNode", *COLUMNS)
    return (
        lambda: insert(*to_postgresql(supply.take())),
        lambda: db.run(workflow, parameters={"it": supply.take()}),
    )


async def _read(
    client: Any,  # noqa: ANN401  # asyncpg has no types
    db: DataFlow,
    cross: Callable[[Any], Any],
    supply: Supply,
) -> tuple[Operation, Operation]:
    del supply
    people = db["Person"]
    keys = [(await people.create(**new_person()))["id"] for _ in range(_STORED)]
    turns = cycle(keys)
    select = cross((await cross(client.prepare)(READ_POSTGRESQL)).fetchrow)
    workflow = one_node(db, "PersonReadNode", "record_id")
    return (
        lambda: select(next(turns)),
        lambda: db.run(workflow, parameters={"it": {"record_id": next(turns)}}),
    )
