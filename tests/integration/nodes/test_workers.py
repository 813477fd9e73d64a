"""A node that is kept waiting by one message serves the others all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow import DataFlow, Records
from dataflow.drivers import Connection, Driver
from dataflow.sql import POSTGRESQL, Statement

postgres = pytest.mark.parametrize(
    "database_url", ["postgres_url"], indirect=True, ids=["postgres"]
)

BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock'"
)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url, pool_size=4) as db:

        @db.model
        class Item:
            name: str
            number: int = 0

        await db[Item].bulk_create([{"name": f"name {n}"} for n in range(1, 41)])
        yield db
    db.close()


@pytest.fixture
def items(db: DataFlow) -> Records:
    return db["Item"]


async def run(connection: Connection, *texts: str) -> None:
    for text in texts:
        await connection.run([Statement(text)])


async def are_blocked(other: Driver, count: int) -> None:
    """Wait until as many statements wait for a lock."""
    statement = Statement(BLOCKED, returns_rows=True)
    async with other.acquire() as connection:
        while (await connection.run([statement]))[0].rows[0][0] < count:
            await checkpoint()


def workers(db: DataFlow, name: str) -> int:
    """Return how many work for a node."""
    tree = db.tree()
    assert tree is not None
    pending = [tree]
    while pending:
        actor = pending.pop()
        if actor.name == name:
            return actor.workers
        pending += actor.children
    raise KeyError(name)


@postgres
async def test_an_update_of_a_locked_row_does_not_hold_up_others(
    db: DataFlow, items: Records, other: Driver
) -> None:
    replies: list[Any] = []
    meanwhile: list[Any] = []
    n_workers = 0

    async def update(key: int) -> None:
        replies.append((await items.update(key, number=key))["id"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:  # noqa: SIM117  # it ends later
            async with other.acquire() as connection, connection.transaction():
                await run(connection, "SELECT 1 FROM items WHERE id = 1 FOR UPDATE")
                tasks.start_soon(update, 1)
                await are_blocked(other, 1)
                async with anyio.create_task_group() as quick:
                    for key in range(2, 41):
                        quick.start_soon(update, key)
                meanwhile = sorted(replies)
                n_workers = workers(db, "ItemUpdateNode")
    numbers = [record["number"] async for record in items.stream()]

    assert meanwhile == list(range(2, 41))
    assert replies[-1] == 1
    assert 1 < n_workers <= 4
    assert sorted(numbers) == list(range(1, 41))


@postgres
async def test_every_connection_but_one_may_be_blocked(
    db: DataFlow, items: Records, other: Driver
) -> None:
    replies: list[Any] = []
    meanwhile: list[Any] = []
    n_workers = 0

    async def update(key: int) -> None:
        replies.append((await items.update(key, number=key))["id"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:  # noqa: SIM117  # it ends later
            async with other.acquire() as connection, connection.transaction():
                await run(connection, "SELECT 1 FROM items WHERE id < 4 FOR UPDATE")
                for key in (1, 2, 3):
                    tasks.start_soon(update, key)
                    await are_blocked(other, key)
                await update(9)
                meanwhile = list(replies)
                n_workers = workers(db, "ItemUpdateNode")

    assert meanwhile == [9]
    assert n_workers == 4
    assert sorted(replies) == [1, 2, 3, 9]


@postgres
@pytest.mark.parametrize("call", ["update", "delete", "upsert"])
async def test_a_turn_locks_rows_in_the_order_of_their_keys(
    call: str, items: Records, other: Driver
) -> None:
    """So two of them, sent in different orders, do not wait for each other."""
    calls: dict[str, Callable[[int], Coroutine[Any, Any, object]]] = {
        "update": lambda key: items.update(key, number=key),
        "delete": items.delete,
        "upsert": lambda key: items.upsert(
            where={"id": key}, create={"name": "x"}, update={"number": key}
        ),
    }
    free = Statement(
        "SELECT id FROM items WHERE id > 1 FOR UPDATE SKIP LOCKED", returns_rows=True
    )
    n_free = 0
    with anyio.fail_after(20):
        async with (
            anyio.create_task_group() as tasks,
            other.acquire() as connection,
            connection.transaction(),
        ):
            await run(connection, "SELECT 1 FROM items WHERE id = 1 FOR UPDATE")
            for key in range(10, 0, -1):
                tasks.start_soon(calls[call], key)
            await are_blocked(other, 1)
            (result,) = await connection.run([free])
            n_free = len(result.rows)

    assert n_free == 39


async def slow_rows(driver: Driver) -> None:
    """Let a query that looks at row 1 of *items* not end by itself."""
    async with driver.acquire() as connection:
        if driver.dialect is POSTGRESQL:
            await run(
                connection,
                "CREATE FUNCTION is_ready(id bigint) RETURNS boolean LANGUAGE plpgsql "
                "AS $$ BEGIN IF id = 1 THEN PERFORM pg_sleep(3600); END IF; "
                "RETURN true; END $$",
                "ALTER TABLE items RENAME TO base",
                "CREATE VIEW items AS SELECT * FROM base WHERE is_ready(id)",
            )
        else:
            await run(
                connection,
                "ALTER TABLE items RENAME TO base",
                """CREATE VIEW items AS SELECT * FROM base WHERE CASE id WHEN 1 THEN (
                    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
                    SELECT count(*) FROM c WHERE base.id) ELSE 1 END""",
            )


@pytest.mark.parametrize("call", ["list", "count", "read"])
async def test_a_slow_read_does_not_hold_up_another(
    call: str, items: Records, other: Driver
) -> None:
    await slow_rows(other)

    async def ask(key: int) -> Any:
        if call == "read":
            return (await items.read(filter={"id": key}))["name"]
        if call == "count":
            return await items.count({"id": key})
        return (await items.list(filter={"id": key}))["count"]

    replies: list[Any] = []
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, 1)
            await anyio.wait_all_tasks_blocked()
            replies = [await ask(key) for key in (2, 3, 4)]
            tasks.cancel_scope.cancel()

    expected = [f"name {n}" for n in (2, 3, 4)] if call == "read" else [1, 1, 1]
    assert replies == expected


async def test_more_callers_than_connections_are_all_served(
    db: DataFlow, items: Records
) -> None:
    served: list[int] = []

    async def use(number: int) -> None:
        key = number % 40 + 1
        calls: list[Awaitable[Any]] = [
            items.read(key),
            items.update(key, number=number),
            items.create(name=f"new {number}"),
            items.count({"id": {"$lte": key}}),
            items.list(filter={"id": key}),
        ]
        for call in calls:
            await call
        served.append(number)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(120):
                tasks.start_soon(use, number)

    assert sorted(served) == list(range(120))
    assert await items.count() == 160
    for kind in ("Read", "Update", "Create", "Count", "List"):
        assert workers(db, f"Item{kind}Node") <= 4


@postgres
async def test_what_workers_have_and_what_waits_is_served_at_the_end(
    database_url: str, other: Driver
) -> None:
    replies: list[int] = []
    before: list[Any] = []
    stopped = False
    db = DataFlow(database_url, pool_size=2)

    @db.model
    class Item:
        name: str
        number: int = 0

    items = db[Item]

    async def update(items: Records, key: int) -> None:
        replies.append((await items.update(key, number=key))["id"])

    async with other.acquire() as connection, anyio.create_task_group() as tasks:

        async def serve(opened: anyio.Event, end: anyio.Event) -> None:
            nonlocal stopped
            async with db:
                await items.bulk_create([{"name": f"{n}"} for n in range(9)])
                opened.set()
                await end.wait()
            stopped = True

        opened, end = anyio.Event(), anyio.Event()
        tasks.start_soon(serve, opened, end)
        await opened.wait()
        with anyio.fail_after(20):
            async with connection.transaction():
                await run(connection, "SELECT 1 FROM items FOR UPDATE")
                for key in (1, 2):
                    tasks.start_soon(update, items, key)
                    await are_blocked(other, key)
                # Both workers are busy; these wait in the mailbox.
                for key in range(3, 9):
                    tasks.start_soon(update, items, key)
                await anyio.wait_all_tasks_blocked()
                end.set()
                await anyio.wait_all_tasks_blocked()
                before = [list(replies), stopped]
    db.close()

    assert before == [[], False]
    assert stopped
    assert sorted(replies) == list(range(1, 9))
