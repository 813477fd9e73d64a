"""What an operation on PostgreSQL costs, over asyncpg's prepared statements.

The raw side holds its connection and has its statement prepared: it is the least
that asyncpg can do. Ours runs a workflow of one node, as users do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from itertools import cycle
from typing import Any, Final

import anyio
from contest import Effort, Operation, compete
from figure import Figure, Limit, Versus
from people import (
    COLUMNS,
    INSERT_POSTGRESQL,
    READ_POSTGRESQL,
    RETURNING_ALL,
    TABLE,
    declare,
    new_person,
    one_node,
)

from dataflow import DataFlow, LocalRuntime

__all__ = ["MEASURES", "measure_asyncio", "measure_trio", "settings"]

CREATE_AT_MOST: Final = Limit(Versus.RATIO, 1.25)
READ_AT_MOST: Final = Limit(Versus.DIFFERENCE, 60e-6)

PLACE: Final = "PostgreSQL, asyncio"
ON_TRIO: Final = "PostgreSQL, trio"

_CALLERS: Final = 20
_CALLS_EACH: Final = 10
_ROWS: Final = 10_000

_asyncpg: Any = import_module("asyncpg")  # it has no types


async def settings(url: str) -> dict[str, str]:
    """Return what the server says of its version and of durability."""
    client = await _asyncpg.connect(url)
    names = ("server_version", "fsync", "synchronous_commit")
    try:
        return {name: await client.fetchval(f"SHOW {name}") for name in names}
    finally:
        await client.close()


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[tuple[Any, DataFlow]]:
    """Give a connection of asyncpg, and a DataFlow that has made the table anew."""
    client = await _asyncpg.connect(url)
    try:
        await client.execute(f"DROP TABLE IF EXISTS {TABLE}")
        async with DataFlow(url) as db:
            declare(db)
            await db.initialize()
            yield client, db
    finally:
        await client.close()


def _values() -> tuple[Any, ...]:
    return tuple(new_person().values())


def _create(db: DataFlow) -> Operation:
    workflow = one_node(db, "PersonCreateNode", *COLUMNS)
    return lambda: db.run(workflow, parameters={"it": new_person()})


def _read(db: DataFlow, ids: list[int]) -> Operation:
    workflow = one_node(db, "PersonReadNode", "record_id")
    turns = cycle(ids)
    return lambda: db.run(workflow, parameters={"it": {"record_id": next(turns)}})


async def _ids(db: DataFlow) -> list[int]:
    people = db["Person"]
    return [(await people.create(**new_person()))["id"] for _ in range(100)]


# -- what has limits ---------------------------------------------------------------


async def _measure_create(url: str, effort: Effort) -> list[Figure]:
    async with _opened(url) as (client, db):
        key = await client.prepare(f"{INSERT_POSTGRESQL} RETURNING id")
        whole = await client.prepare(f"{INSERT_POSTGRESQL}{RETURNING_ALL}")
        seconds = await compete(
            {
                "id": lambda: key.fetchval(*_values()),
                "ours": _create(db),
                "all": lambda: whole.fetchrow(*_values()),
                "direct": lambda: db["Person"].create(**new_person()),
            },
            effort,
        )
    figure = partial(Figure.against_raw, place=PLACE)
    by_key = "asyncpg, prepared, RETURNING id"
    return [
        figure(
            "create",
            ours=seconds["ours"],
            raw=seconds["id"],
            against=by_key,
            limit=CREATE_AT_MOST,
        ),
        figure(
            "create",
            ours=seconds["ours"],
            raw=seconds["all"],
            against="asyncpg, prepared, RETURNING all",
        ),
        figure(
            "create, direct call",
            ours=seconds["direct"],
            raw=seconds["id"],
            against=by_key,
        ),
    ]


async def _measure_read(url: str, effort: Effort) -> list[Figure]:
    async with _opened(url) as (client, db):
        ids = await _ids(db)
        statement = await client.prepare(READ_POSTGRESQL)
        turns = cycle(ids)
        people = db["Person"]
        seconds = await compete(
            {
                "raw": lambda: statement.fetchrow(next(turns)),
                "ours": _read(db, ids),
                "direct": lambda: people.read(next(turns)),
            },
            effort.scaled(size=2),
        )
    figure = partial(
        Figure.against_raw, place=PLACE, raw=seconds["raw"], against="asyncpg, prepared"
    )
    return [
        figure("read", ours=seconds["ours"], limit=READ_AT_MOST),
        figure("read, direct call", ours=seconds["direct"]),
    ]


# -- for information ---------------------------------------------------------------


async def _measure_runtime(url: str, effort: Effort) -> list[Figure]:
    """Measure plain synchronous code, through the background thread."""
    async with _opened(url) as (client, _):
        statement = await client.prepare(f"{INSERT_POSTGRESQL} RETURNING id")
        db = DataFlow(url)
        declare(db)
        workflow = one_node(db, "PersonCreateNode", *COLUMNS)
        runtime = LocalRuntime()

        async def execute() -> None:
            runtime.execute(workflow, {"it": new_person()})

        try:
            seconds = await compete(
                {"raw": lambda: statement.fetchval(*_values()), "ours": execute}, effort
            )
        finally:
            await db.aclose()
    return [
        Figure.against_raw(
            "create, LocalRuntime.execute",
            PLACE,
            ours=seconds["ours"],
            raw=seconds["raw"],
            against="asyncpg, prepared, RETURNING id",
        )
    ]


async def _measure_concurrent(url: str, effort: Effort) -> list[Figure]:
    async with (
        _opened(url) as (_, db),
        _asyncpg.create_pool(url, min_size=_CALLERS, max_size=_CALLERS) as pool,
    ):
        text = f"{INSERT_POSTGRESQL} RETURNING id"
        create = _create(db)
        seconds = await compete(
            {
                "raw": _together(lambda: pool.fetchval(text, *_values())),
                "ours": _together(create),
            },
            effort.scaled(size=0.1),
        )
    calls = _CALLERS * _CALLS_EACH
    return [
        Figure.against_raw(
            f"create, {_CALLERS} callers, per row",
            PLACE,
            ours=[each / calls for each in seconds["ours"]],
            raw=[each / calls for each in seconds["raw"]],
            against=f"asyncpg, pool of {_CALLERS}",
        )
    ]


def _together(operation: Operation) -> Operation:
    async def call() -> None:
        for _ in range(_CALLS_EACH):
            await operation()

    async def all_of_them() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(_CALLERS):
                tasks.start_soon(call)

    return all_of_them


async def _measure_bulk(url: str, effort: Effort) -> list[Figure]:
    async with _opened(url) as (client, db):
        people = db["Person"]

        async def copy() -> None:
            rows = [_values() for _ in range(_ROWS)]
            await client.copy_records_to_table(TABLE, records=rows, columns=COLUMNS)

        async def insert() -> None:
            rows = [_values() for _ in range(_ROWS)]
            await client.executemany(INSERT_POSTGRESQL, rows)

        async def ours() -> None:
            await people.bulk_create([new_person() for _ in range(_ROWS)])

        seconds = await compete(
            {"COPY": copy, "executemany": insert, "ours": ours},
            Effort(max(3, effort.rounds // 4), 1),
        )
    return [
        Figure.against_raw(
            "bulk create, per row",
            PLACE,
            ours=[each / _ROWS for each in seconds["ours"]],
            raw=[each / _ROWS for each in seconds[raw]],
            against=f"asyncpg, {raw} of {_ROWS} rows",
        )
        for raw in ("COPY", "executemany")
    ]


MEASURES: Final = {
    "create": _measure_create,
    "read": _measure_read,
    "runtime": _measure_runtime,
    "concurrent": _measure_concurrent,
    "bulk": _measure_bulk,
}


def measure_asyncio(url: str, name: str, effort: Effort) -> list[Figure]:
    """Return the figures of *name*, one of `MEASURES`."""
    return asyncio.run(MEASURES[name](url, effort))


# -- on trio -----------------------------------------------------------------------


def measure_trio(url: str, name: str, effort: Effort) -> list[Figure]:
    """Return the figures of ``create`` or ``read``: information, no limits."""
    return anyio.run(_measure_on_trio, url, name, effort, backend="trio")


async def _measure_on_trio(url: str, name: str, effort: Effort) -> list[Figure]:
    """Measure over asyncpg on the asyncio loop inside trio's, one crossing a call."""
    async with DataFlow(url) as db:
        # Entered first: it imports trio-asyncio so that asyncio stays as it was, and
        # its loop serves both sides.
        trio_asyncio: Any = import_module("trio_asyncio")  # it has no types
        cross: Callable[[Any], Any] = trio_asyncio.aio_as_trio
        declare(db)
        await db.initialize()
        client = await cross(_asyncpg.connect)(url)
        try:
            raw, ours = await _sides(client, db, name, cross)
            seconds = await compete({"raw": raw, "ours": ours}, effort)
        finally:
            await cross(client.close)()
    against = "asyncpg, prepared, over trio-asyncio"
    return [
        Figure.against_raw(
            name, ON_TRIO, ours=seconds["ours"], raw=seconds["raw"], against=against
        )
    ]


async def _sides(
    client: Any,  # noqa: ANN401  # asyncpg has no types
    db: DataFlow,
    name: str,
    cross: Callable[[Any], Any],
) -> tuple[Operation, Operation]:
    if name == "create":
        text = f"{INSERT_POSTGRESQL} RETURNING id"
        insert = cross((await cross(client.prepare)(text)).fetchval)
        return lambda: insert(*_values()), _create(db)
    ids = await _ids(db)
    turns = cycle(ids)
    select = cross((await cross(client.prepare)(READ_POSTGRESQL)).fetchrow)
    return lambda: select(next(turns)), _read(db, ids)
