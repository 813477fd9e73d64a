"""A stream is one query as of one moment, and lets go of its connection at once."""

from __future__ import annotations

import gc
import math
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow import DataFlow, Records, field
from dataflow.actors import Handler, Turn
from dataflow.drivers import Driver, PoolStatistics
from dataflow.errors import (
    ClosedError,
    ConnectionLostError,
    FieldValueError,
    FilterError,
    ParameterError,
    StoredValueError,
    StreamIdleError,
)
from dataflow.messages import Operation, Request
from dataflow.nodes import Engine, RecordStream
from dataflow.sql import Statement

N_ITEMS = 40

postgres = pytest.mark.parametrize(
    "database_url", ["postgres_url"], indirect=True, ids=["postgres"]
)


class Gate:
    """Notes operations; refuses one of them if told so."""

    def __init__(self) -> None:
        self.seen: list[tuple[Operation, str | None]] = []
        self.refused: Exception | None = None

    async def __call__(self, turn: Turn, call_next: Handler) -> None:
        for envelope in turn.taken:
            request: Request = envelope.message
            self.seen.append((request.operation, envelope.principal))
            if request.operation is Operation.STREAM and self.refused is not None:
                turn.refuse(envelope, self.refused)
        if turn:
            await call_next(turn)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def declare(db: DataFlow) -> type:
    @db.model
    class Item:
        name: str
        number: int | None = None

    return Item


def some_items(count: int = N_ITEMS) -> list[dict[str, Any]]:
    return [{"name": f"{n:03}", "number": n % 7 or None} for n in range(count)]


@pytest.fixture
async def db(database_url: str, gate: Gate) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url, pool_size=4, interceptors=[gate]) as db:
        declare(db)
        await db["Item"].bulk_create(some_items())
        yield db
    db.close()


@pytest.fixture
def items(db: DataFlow) -> Records:
    return db["Item"]


def pool(db: DataFlow) -> PoolStatistics:
    engine = db._hosting.engines.current()  # there is no public way
    assert engine is not None
    statistics = engine.pool(db._database)
    assert statistics is not None
    return statistics


async def free(db: DataFlow) -> None:
    """Return once every connection is back in the pool."""
    with anyio.fail_after(20):
        while pool(db).in_use:
            await checkpoint()


# -- what it reads ------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, N_ITEMS, 1_000])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"order_by": "-number, name"},
        {"filter": {"number": {"$gt": 3}}, "order_by": ["number"]},
        {"fields": ["name"], "order_by": "-number"},
        {"exclude": ["id", "name"], "order_by": "name"},
        {"distinct": ["number"], "order_by": "-number"},
        {"fields": ["number"], "distinct": True, "order_by": "-number"},
        {"order_by": [{"field": "number", "nulls": "last"}]},
        {"filter": {"name": "nobody"}},
    ],
    ids=str,
)
async def test_it_reads_what_a_list_without_a_limit_holds(
    given: dict[str, Any], batch_size: int, items: Records
) -> None:
    whole = (await items.list(**given, limit=None))["records"]

    assert [
        each async for each in items.stream(**given, batch_size=batch_size)
    ] == whole


@pytest.mark.parametrize("pool_size", [1, 3])
async def test_related_rows_come_with_each_record_of_the_same_moment(
    database_url: str, pool_size: int
) -> None:
    async with DataFlow(database_url, pool_size=pool_size) as db:

        @db.model
        class Author:
            name: str

        @db.model
        class Book:
            title: str
            author_id: int | None = field(
                default=None, references="Author", relation="author"
            )

        await db[Author].bulk_create([{"name": name} for name in "abc"])
        await db[Book].bulk_create(
            {"title": f"{n}", "author_id": n % 4 or None} for n in range(10)
        )
        whole = await db[Book].list(include=["author"], limit=None)
        seen: list[Any] = []
        async for book in db[Book].stream(include=["author"], batch_size=3):
            if not seen and pool_size > 1:
                await db[Author].update(2, name="changed")
            seen.append(book)

        assert seen == whole["records"]
        titles = db[Book].stream(fields=["title"], include=["author"], batch_size=10)
        first = await anext(titles)
        assert first == {"title": "0", "author": None}
        await titles.aclose()
        await free(db)
    db.close()


async def test_it_is_as_of_the_moment_of_its_first_record(
    db: DataFlow, items: Records
) -> None:
    names: list[str] = []
    async for record in items.stream(batch_size=3):
        names.append(record["name"])
        if len(names) == 1:
            await items.bulk_delete(filter={"id": {"$gt": 20}})
            await items.create(name="late")
            await items.update(5, name="changed")

    assert names == [each["name"] for each in some_items()]
    assert await items.count() == 21
    await free(db)


async def test_it_is_one_message_that_interceptors_see(
    items: Records, gate: Gate
) -> None:
    gate.seen.clear()
    async for _ in items.stream(batch_size=2):
        pass

    assert gate.seen == [(Operation.STREAM, None)]


async def test_an_interceptor_may_refuse_it(items: Records, gate: Gate) -> None:
    gate.refused = PermissionError("not you")
    with pytest.raises(PermissionError, match="not you"):
        await anext(items.stream())


async def test_a_short_one_holds_no_connection_while_it_is_read(
    db: DataFlow, items: Records
) -> None:
    async with items.stream(filter={"id": {"$lt": 5}}) as stream:
        await anext(stream)
        await free(db)
        assert [record["id"] async for record in stream] == [2, 3, 4]


async def test_it_asks_for_nothing_before_its_first_record_is_wanted(
    items: Records, gate: Gate
) -> None:
    gate.seen.clear()
    stream = items.stream()
    await stream.aclose()

    assert gate.seen == []
    assert [record async for record in stream] == []


async def test_several_are_read_at_once_and_other_nodes_go_on(
    db: DataFlow, items: Records
) -> None:
    triples = 0
    async for one in items.stream({"id": {"$lt": 5}}, batch_size=1):
        async for two in items.stream({"id": {"$lt": 5}}, batch_size=1):
            async for three in items.stream({"id": {"$lt": 5}}, batch_size=1):
                # The fourth connection, and on SQLite the writer.
                await items.update(three["id"], number=one["id"] * two["id"])
                triples += (await items.list(limit=1))["count"]

    assert triples == 64
    await free(db)


async def test_more_than_there_are_connections_take_turns(
    db: DataFlow, items: Records
) -> None:
    done: list[int] = []

    async def read(number: int) -> None:
        done.append(len([each async for each in items.stream(batch_size=4)]))
        del number

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(read, number)

    assert done == [N_ITEMS] * 20
    await free(db)


@pytest.mark.slow
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_its_memory_does_not_grow_with_the_rows(items: Records) -> None:
    await items.bulk_create({"name": f"{n:0100}"} for n in range(60_000))

    async def peak(limit: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            async for _ in items.stream({"id": {"$lte": limit}}, batch_size=200):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await peak(1_000)
    few, many = await peak(3_000), await peak(60_000)

    assert many < 1.5 * few
    assert many < 2_000_000


# -- leaving ------------------------------------------------------------------------


async def test_a_break_lets_go_of_the_connection(db: DataFlow, items: Records) -> None:
    for _ in range(10):
        async for record in items.stream(batch_size=1):
            assert record["id"] == 1
            break
        await free(db)
    await items.update(1, name="free")


async def test_closing_waits_until_the_connection_is_free(
    db: DataFlow, items: Records
) -> None:
    stream = items.stream(batch_size=1)
    await anext(stream)
    assert pool(db).in_use == 1
    await stream.aclose()

    assert pool(db).in_use == 0
    await stream.aclose()
    assert [record async for record in stream] == []


async def test_an_error_in_the_block_lets_go_of_the_connection(
    db: DataFlow, items: Records
) -> None:
    async def fail() -> None:
        async with items.stream(batch_size=1) as stream:
            async for record in stream:
                raise ZeroDivisionError(record["id"])

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert pool(db).in_use == 0


@pytest.mark.parametrize("moment", range(12))
async def test_a_cancelled_reader_leaves_nothing_behind(
    moment: int, db: DataFlow, items: Records
) -> None:
    async def read(scope: anyio.CancelScope) -> None:
        with scope:
            async for _ in items.stream(batch_size=1):
                await checkpoint()

    scope = anyio.CancelScope()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, scope)
            for _ in range(moment**2):
                await checkpoint()
            scope.cancel()

    await free(db)
    assert len([each async for each in items.stream()]) == N_ITEMS


async def test_after_a_cancelled_wait_it_is_closed_and_not_short(
    db: DataFlow, items: Records
) -> None:
    stream = items.stream(batch_size=1)
    await anext(stream)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    with pytest.raises(ClosedError, match="the stream is closed"):
        await anext(stream)
    await free(db)


async def test_one_task_reads_it_at_a_time(db: DataFlow, items: Records) -> None:
    stream = items.stream(batch_size=1)
    problems: list[str] = []

    async def read() -> None:
        try:
            await anext(stream)
        except RuntimeError as error:
            problems.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)
    await stream.aclose()

    assert len(problems) == 1
    assert "one task reads a stream" in problems[0]
    await free(db)


async def test_closing_while_another_task_waits_ends_the_wait(
    db: DataFlow, items: Records, other: Driver
) -> None:
    stream = items.stream(batch_size=1)
    ended: list[Exception] = []

    async def read() -> None:
        try:
            await anext(stream)
        except ClosedError as error:
            ended.append(error)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await stream.aclose()
    del other

    assert len(ended) <= 1
    await free(db)


# -- being cut ----------------------------------------------------------------------


async def test_a_reader_that_takes_nothing_loses_the_connection_not_the_others(
    db: DataFlow, items: Records
) -> None:
    stream = items.stream(batch_size=2, idle_s=0.05)
    first = await anext(stream)
    await free(db)
    with pytest.raises(StreamIdleError) as caught:
        async for _ in stream:
            pass

    assert first["id"] == 1
    assert (caught.value.model, caught.value.idle_s) == ("Item", 0.05)
    assert "idle_s" in str(caught.value)
    with pytest.raises(ClosedError):
        await anext(stream)


async def test_the_end_of_the_dataflow_ends_a_stream_at_once(
    database_url: str,
) -> None:
    async with DataFlow(database_url, pool_size=3) as db:
        declare(db)
        await db["Item"].bulk_create(some_items())
        stream = db["Item"].stream(batch_size=1)
        await anext(stream)
        began = time.monotonic()

    took_s = time.monotonic() - began
    with pytest.raises(ClosedError, match="the stream is closed"):
        async for _ in stream:
            pass
    assert took_s < 2
    db.close()


@pytest.mark.postgres
@postgres
async def test_a_lost_connection_is_an_error_and_no_short_stream(
    db: DataFlow, items: Records, other: Driver
) -> None:
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    seen: list[int] = []

    async def read() -> None:
        async for record in items.stream(batch_size=2):
            seen.append(record["id"])
            if len(seen) == 1:
                async with other.acquire() as connection:
                    await connection.run([Statement(cut, (), returns_rows=True)])

    with pytest.raises(ConnectionLostError):
        await read()

    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < N_ITEMS
    await free(db)
    assert len([each async for each in items.stream()]) == N_ITEMS


class Color(Enum):
    RED = "red"


async def test_a_value_that_does_not_fit_comes_behind_the_records_before(
    db: DataFlow,
) -> None:
    @db.model
    class Free:
        __tablename__ = "paints"
        color: str

    @db.model
    class Paint:
        __tablename__ = "paints"
        color: Color

    await db[Free].bulk_create([{"color": "red"}] * 5 + [{"color": "green"}])
    seen: list[Color] = []

    async def read() -> None:
        async for record in db[Paint].stream(batch_size=2):
            seen.append(record["color"])  # noqa: PERF401  # to see what came before

    with pytest.raises(StoredValueError):
        await read()

    assert seen == [Color.RED] * 4
    await free(db)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"filter": {"nme": 1}}, FilterError),
        ({"order_by": "nme"}, FilterError),
        ({"fields": ["nme"]}, ParameterError),
        ({"fields": []}, FieldValueError),
        ({"batch_size": 1.5}, FieldValueError),
        ({"batch_size": 2**63}, FieldValueError),
        ({"idle_s": 0}, FieldValueError),
        ({"idle_s": math.nan}, FieldValueError),
        ({"idle_s": "long"}, FieldValueError),
        ({"idle_s": True}, FieldValueError),
    ],
    ids=str,
)
async def test_what_cannot_be_read_is_refused(
    given: dict[str, Any], error: type[Exception], db: DataFlow, items: Records
) -> None:
    stream = items.stream(**given)
    with pytest.raises(error):
        await anext(stream)
    with pytest.raises(ClosedError):
        await anext(stream)
    await stream.aclose()

    assert pool(db).in_use == 0


def test_a_batch_has_at_least_one_record() -> None:
    db = DataFlow("sqlite:///:memory:")
    declare(db)
    with pytest.raises(ValueError, match="at least one record, not 0"):
        db["Item"].stream(batch_size=0)
    with pytest.raises(ValueError, match="at least one record, not -1"):
        db["Item"].stream(page=-1)


# -- one connection only --------------------------------------------------------------


@pytest.fixture(params=["sqlite_url", "postgres_url", "memory"])
async def narrow(request: pytest.FixtureRequest) -> AsyncIterator[DataFlow]:
    """Give a DataFlow with one connection for reading."""
    url = "sqlite:///:memory:"
    if request.param != "memory":
        url = request.getfixturevalue(request.param)
    async with DataFlow(url, pool_size=1) as db:
        declare(db)
        await db["Item"].bulk_create(some_items())
        yield db
    db.close()


async def test_with_one_connection_a_reader_can_still_do_other_things(
    narrow: DataFlow,
) -> None:
    items = narrow["Item"]
    seen: list[int] = []
    with anyio.fail_after(20):
        async for record in items.stream(order_by="-number", batch_size=4):
            async for _ in items.stream(batch_size=1):
                break
            await items.update(record["id"], name="seen")
            seen.append(record["id"])

    assert sorted(seen) == list(range(1, N_ITEMS + 1))
    assert await items.count({"name": "seen"}) == N_ITEMS
    pairs = items.stream(distinct=["number"], order_by="-number", batch_size=2)
    numbers = [record["number"] async for record in pairs]
    assert numbers == [6, 5, 4, 3, 2, 1, None]
    names = items.stream(fields=["name"], order_by="-number", batch_size=7)
    assert [record async for record in names] == [{"name": "seen"}] * N_ITEMS


# -- on the background thread -----------------------------------------------------------


@pytest.fixture
async def apart(database_url: str) -> AsyncIterator[DataFlow]:
    """Give a DataFlow that is not entered."""
    db = DataFlow(database_url, pool_size=3)
    declare(db)
    await db["Item"].bulk_create(some_items())
    yield db
    await db.aclose()


def background_pool(db: DataFlow) -> PoolStatistics:
    (engine,) = db._database.holders
    assert isinstance(engine, Engine)
    found = engine.pool(db._database)
    assert found is not None
    return found


async def background_free(db: DataFlow) -> None:
    with anyio.fail_after(20):
        while background_pool(db).in_use:
            await checkpoint()


async def test_without_entering_it_reads_over_the_thread(apart: DataFlow) -> None:
    items = apart["Item"]
    names = [record["name"] async for record in items.stream(batch_size=7)]

    assert names == [each["name"] for each in some_items()]
    await background_free(apart)


async def test_without_entering_whatever_leaves_it_lets_go(apart: DataFlow) -> None:
    items = apart["Item"]
    async for _ in items.stream(batch_size=1):
        break
    await background_free(apart)
    async with items.stream(batch_size=1) as stream:
        await anext(stream)
    assert background_pool(apart).in_use == 0
    with anyio.CancelScope() as scope:
        async for _ in items.stream(batch_size=1):
            scope.cancel()
    await background_free(apart)


async def test_without_entering_the_end_of_the_dataflow_ends_it(
    apart: DataFlow,
) -> None:
    stream = apart["Item"].stream(batch_size=1)
    await anext(stream)
    with anyio.fail_after(20):
        await apart.aclose()
    with pytest.raises(ClosedError):
        async for _ in stream:
            pass
    await stream.aclose()


async def test_it_is_read_where_it_was_begun(db: DataFlow, items: Records) -> None:
    stream = items.stream(batch_size=1)
    await anext(stream)
    problems: list[str] = []

    async def read() -> None:
        try:
            await anext(stream)
        except RuntimeError as error:
            problems.append(str(error))

    await anyio.to_thread.run_sync(anyio.run, read)

    assert ["begun" in each for each in problems] == [True]
    await free(db)


async def test_one_that_another_thread_drops_is_let_go(
    db: DataFlow, items: Records
) -> None:
    kept: list[RecordStream] = [items.stream(batch_size=1)]
    await anext(kept[0])
    drop: Callable[[], None] = kept.clear
    thread = threading.Thread(target=drop)
    thread.start()
    thread.join()

    await free(db)
