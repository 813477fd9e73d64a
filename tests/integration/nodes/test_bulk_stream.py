"""Bulk nodes read their rows from anywhere, as fast as they are stored."""

from __future__ import annotations

from collections import UserDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, field
from dataflow.errors import (
    DuplicateKeyError,
    FieldValueError,
    PartlyStoredError,
    TooManyFailuresError,
)

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def item(db: DataFlow) -> type:
    @db.model
    class Item:
        code: str = field(unique=True)
        price: int = 1

    await db.initialize()
    return Item


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"code": f"{n:05}", "price": n} for n in range(start, start + count)]


async def codes(db: DataFlow, model: type) -> list[str]:
    page = await db[model].list(limit=None, order_by="id", fields=["code"])
    return [record["code"] for record in page["records"]]


async def coming(data: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for row in data:
        await anyio.lowlevel.checkpoint()
        yield row


class Batch:
    """As much of an Arrow record batch as is used."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self._data = data
        self.num_rows = len(data)

    def slice(self, offset: int, length: int) -> Batch:
        return Batch(self._data[offset : offset + length])

    def to_pylist(self) -> list[dict[str, Any]]:
        return self._data


class Table:
    """As much of an Arrow table as is used."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = batches

    def to_batches(self) -> list[Batch]:
        return [*self._batches]

    def to_pylist(self) -> list[dict[str, Any]]:
        raise AssertionError  # all of it at once


async def coming_batches(data: list[dict[str, Any]]) -> AsyncIterator[Batch]:
    yield Batch(data[:7])
    yield Batch(data[7:])


SOURCES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "iterator": iter,
    "generator": lambda data: (row for row in data),
    "values": lambda data: dict(enumerate(data)).values(),
    "mappings": lambda data: [UserDict(row) for row in data],
    "coming": coming,
    "arrow table": lambda data: Table(Batch(data[:70]), Batch(data[70:])),
    "arrow batch": Batch,
    "arrow batches": lambda data: [Batch(data[:7]), Batch(data[7:])],
    "coming batches": coming_batches,
}


@pytest.mark.parametrize("batch_size", [60, 100, 10_000])
@pytest.mark.parametrize("source", SOURCES)
async def test_rows_may_come_from_anywhere(
    source: str, batch_size: int, db: DataFlow, item: type
) -> None:
    data = rows(200)
    result = await db[item].bulk_create(
        SOURCES[source](data), batch_size=batch_size, return_ids=True
    )

    assert (result["processed"], result["inserted"]) == (200, 200)
    assert result["ids"] == list(range(1, 201))
    assert await codes(db, item) == [row["code"] for row in data]


async def test_a_workflow_does_not_read_a_generator_before_it_runs(
    db: DataFlow, item: type
) -> None:
    n_read = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal n_read
        for row in rows(100):
            n_read += 1
            yield row

    flow = db.workflow()
    flow.add_node("ItemBulkCreateNode", "bulk", {"data": source()})
    workflow = flow.build()
    n_read_before = n_read
    results, _ = await db.run(workflow)

    assert n_read_before == 0
    assert (results["bulk"]["inserted"], n_read) == (100, 100)


async def test_a_node_may_pass_on_a_generator(db: DataFlow, item: type) -> None:
    async def make() -> dict[str, object]:
        return {"rows": (row for row in rows(100))}

    flow = db.workflow()
    flow.add_node(make, "make")
    flow.add_node("ItemBulkCreateNode", "bulk")
    flow.add_connection("make", "rows", "bulk", "data")
    results, _ = await db.run(flow.build())

    assert results["bulk"]["inserted"] == await db[item].count() == 100


@pytest.mark.parametrize("batch_size", [1, 10, 70])
async def test_an_endless_source_is_read_as_fast_as_it_is_stored(
    batch_size: int, db: DataFlow, item: type
) -> None:
    n_read, most_ahead = 0, 0

    async def endless() -> AsyncIterator[dict[str, Any]]:
        nonlocal n_read, most_ahead
        while True:
            yield {"code": f"{n_read}"}
            n_read += 1
            if n_read % batch_size == 0:
                most_ahead = max(most_ahead, n_read - await db[item].count())
                if n_read >= 10 * batch_size:
                    scope.cancel()

    with anyio.fail_after(20), anyio.CancelScope() as scope:
        await db[item].bulk_create(endless(), batch_size=batch_size)
    with anyio.fail_after(20):
        await db[item].bulk_create(rows(1, start=90_000))

    assert most_ahead <= 3 * batch_size
    assert await db[item].count() >= 7 * batch_size


@pytest.mark.parametrize("n_bad", [0, 99, 100, 250, 299])
@pytest.mark.parametrize("atomic", [None, False])
async def test_batches_before_the_bad_one_stay_and_are_told(
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    n_bad: int,
    db: DataFlow,
    item: type,
) -> None:
    data = rows(300)
    data[n_bad] = {"code": "x", "price": "1"}
    with pytest.raises((FieldValueError, PartlyStoredError)) as error:
        await db[item].bulk_create(iter(data), batch_size=100, atomic=atomic)
    stored = n_bad // 100 * 100

    assert await codes(db, item) == [row["code"] for row in data[:stored]]
    cause: Any = error.value
    if stored:
        assert isinstance(error.value, PartlyStoredError)
        assert (error.value.processed, error.value.stored) == (stored, stored)
        assert error.value.error is error.value.__cause__
        assert f"stored {stored} of the first {stored} rows" in str(error.value)
        cause = error.value.error
    assert cause.owner == f"ItemBulkCreateNode data[{n_bad}]"


async def test_a_duplicate_in_a_later_batch_leaves_the_earlier_ones(
    db: DataFlow, item: type
) -> None:
    data = [*rows(250), {"code": "00003"}]
    with pytest.raises(PartlyStoredError) as error:
        await db[item].bulk_create(data, batch_size=100)

    assert (error.value.processed, error.value.stored) == (200, 200)
    assert isinstance(error.value.error, DuplicateKeyError)
    assert await db[item].count() == 200


@pytest.mark.parametrize("batch_size", [60, 100, 10_000])
@pytest.mark.parametrize("bad", [{"code": "00003"}, {"code": 3}])
async def test_an_atomic_one_stores_all_or_nothing_however_long(
    bad: dict[str, Any], batch_size: int, db: DataFlow, item: type
) -> None:
    data = rows(350)
    with pytest.raises((DuplicateKeyError, FieldValueError)):
        await db[item].bulk_create(
            iter([*data, bad]), batch_size=batch_size, atomic=True
        )
    n_rows = await db[item].count()
    result = await db[item].bulk_create(
        iter(data), batch_size=batch_size, atomic=True, return_ids=True
    )

    assert n_rows == 0
    assert result["inserted"] == len(set(result["ids"])) == 350


@pytest.mark.parametrize("atomic", [None, True, False])
async def test_an_error_of_the_source_is_passed_on(
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from rows(150)
        raise OSError

    with pytest.raises((OSError, PartlyStoredError)) as error:
        await db[item].bulk_create(broken(), batch_size=100, atomic=atomic)
    n_rows = await db[item].count()

    assert n_rows == (0 if atomic else 100)
    assert isinstance(error.value, OSError if atomic else PartlyStoredError)


@pytest.mark.parametrize("atomic", [None, True, False])
@pytest.mark.parametrize("batch_size", [5, 60, 10_000])
async def test_going_on_leaves_bad_rows_out_of_every_batch(
    batch_size: int,
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    await db[item].create(code="taken")
    data: list[Any] = rows(180)
    data[0] = {"code": "taken"}
    data[70] = {"code": 7}
    data[71] = "no row"
    data[140] = {"code": "00001"}
    data[179] = {"code": "taken"}
    result = await db[item].bulk_create(
        iter(data),
        batch_size=batch_size,
        atomic=atomic,
        error_strategy="continue",
        return_ids=True,
    )
    good = [row["code"] for n, row in enumerate(data) if n not in {0, 70, 71, 140, 179}]

    assert (result["processed"], result["inserted"], result["failed"]) == (180, 175, 5)
    assert [each["index"] for each in result["errors"]] == [0, 70, 71, 140, 179]
    assert await codes(db, item) == ["taken", *good]
    ids = dict(zip(result["ids"], good, strict=True))
    records = (await db[item].list(limit=None))["records"]
    assert {r["id"]: r["code"] for r in records if r["code"] != "taken"} == ids


@pytest.mark.parametrize("atomic", [None, True, False])
@pytest.mark.parametrize("batch_size", [60, 10_000])
async def test_it_gives_up_once_too_many_rows_fail(
    batch_size: int,
    atomic: bool | None,  # noqa: FBT001  a parameter of the test
    db: DataFlow,
    item: type,
) -> None:
    data: list[Any] = rows(180)
    for bad in (100, 101, 102):
        data[bad] = {"code": "00000"}
    given: dict[str, Any] = {
        "data": data,
        "batch_size": batch_size,
        "atomic": atomic,
        "error_strategy": "continue",
    }
    with pytest.raises(TooManyFailuresError) as error:
        await db[item].bulk_create(**given, max_errors=2)
    n_rows = await db[item].count()

    assert (error.value.limit, error.value.stored) == (2, n_rows)
    assert [each["index"] for each in error.value.errors] == [100, 101, 102]
    assert n_rows == (117 if batch_size == 60 and not atomic else 0)
    if not n_rows:
        assert (await db[item].bulk_create(**given, max_errors=3))["inserted"] == 177


async def test_a_cancelled_stream_keeps_whole_batches(db: DataFlow, item: type) -> None:
    async def stalling(start: int) -> AsyncIterator[dict[str, Any]]:
        for row in rows(250, start):
            yield row
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.fail_after(20):
        with anyio.CancelScope() as scope:
            await db[item].bulk_create(stalling(0), batch_size=100)
        kept = await db[item].count()
        with anyio.CancelScope() as scope:
            await db[item].bulk_create(stalling(1_000), batch_size=100, atomic=True)
        await db[item].bulk_create(rows(60, start=5_000))

    assert kept in {0, 100, 200}
    assert await db[item].count() == kept + 60


async def test_a_source_may_read_the_same_database(db: DataFlow, item: type) -> None:
    @db.model
    class Copy:
        code: str
        price: int

    await db[item].bulk_create(rows(250))
    source = db[item].stream(page=30, fields=["code", "price"])
    with anyio.fail_after(20):
        result = await db[Copy].bulk_create(source, batch_size=60)

    assert result["inserted"] == 250


async def test_updates_and_upserts_read_anything_too(db: DataFlow, item: type) -> None:
    await db[item].bulk_create(rows(200))
    changes = ({"id": n, "price": 0} for n in range(1, 221))
    updated = await db[item].bulk_update(data=changes, batch_size=90)
    upserted = await db[item].bulk_upsert(
        coming(rows(200, start=100)), key_fields="code", batch_size=90
    )

    assert (updated["updated"], updated["skipped"]) == (200, 20)
    assert (upserted["inserted"], upserted["updated"]) == (100, 100)


async def test_a_scalar_goes_to_every_row_of_a_stream(db: DataFlow, item: type) -> None:
    data = ({"code": f"{n}"} for n in range(150))
    await db[item].bulk_create(data, price=9, batch_size=60)
    with pytest.raises(FieldValueError):
        await db[item].bulk_create(iter(rows(3)), price=9)
    with pytest.raises(FieldValueError):
        await db[item].bulk_create(iter(()), price="9")

    assert await db[item].count({"price": 9}) == await db[item].count() == 150


@pytest.mark.parametrize("how", ["refused", "cancelled"])
async def test_an_asynchronous_generator_is_closed_where_it_stands(
    how: str, db: DataFlow, item: type
) -> None:
    closed = anyio.Event()

    async def endless() -> AsyncIterator[dict[str, Any]]:
        try:
            for row in rows(30):
                yield row
            if how == "cancelled":
                scope.cancel()
            while True:
                yield {"code": None}
        finally:
            closed.set()

    with anyio.CancelScope() as scope:
        with pytest.raises(PartlyStoredError):
            await db[item].bulk_create(endless(), batch_size=10)
        assert how == "refused"

    with anyio.fail_after(20):
        await closed.wait()
    assert await db[item].count() % 10 == 0
