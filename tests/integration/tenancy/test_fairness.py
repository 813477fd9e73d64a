"""Turns between tenants, and their limits, wherever calls come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from tenants import Apart, Place

from dataflow import DataFlow, TenantLimits
from dataflow.errors import TenantLimitError, WorkflowError

REFUSING = TenantLimits(running=1, exceeding="refuse")


def declared(url: str, limits: Any = None, **options: Any) -> DataFlow:
    db = DataFlow(url, tenant_limits=limits, **options)

    @db.model
    class Note:
        number: int

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012

    return db


class Endless:
    """Rows without end, which come when they are let; for any number of readers."""

    def __init__(self) -> None:
        self.is_asked = anyio.Event()
        self.goes_on = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for number in range(3):
            yield {"number": number}
        self.is_asked.set()
        await self.goes_on.wait()
        yield {"number": 3}


async def opened(db: DataFlow) -> None:
    """See that everything is there that the first call makes."""
    await db["Note"].bulk_create([{"number": 0}], tenant_id="b")


# -- what takes long ----------------------------------------------------------------


async def test_bulk_creates_of_one_tenant_keep_no_other_waiting(
    database_url: str,
) -> None:
    db = declared(database_url, pool_size=3)
    async with db:
        await opened(db)
        source, n_calls = Endless(), 12
        create = partial(db["Note"].bulk_create, source, batch_size=2, tenant_id="a")
        async with anyio.create_task_group() as tasks:
            for _ in range(n_calls):
                tasks.start_soon(create)
            await source.is_asked.wait()
            with anyio.fail_after(60):
                await db["Note"].bulk_create([{"number": 1}], tenant_id="b")
                assert await db["Note"].count(tenant_id="b") == 2
            assert db.tenants.waiting()["a"] > 0
            source.goes_on.set()

        assert await db["Note"].count(tenant_id="a") == 4 * n_calls
        assert db.tenants.waiting() == {}


async def test_a_write_waits_for_few_batches_of_another_tenant(
    sqlite_url: str,
) -> None:
    db = declared(sqlite_url)
    n_read, size, is_enough = 0, 20, anyio.Event()
    is_going = anyio.Event()
    waited: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal n_read
        while not is_enough.is_set():
            n_read += 1
            if n_read == 10 * size:
                is_going.set()
            yield {"number": n_read}

    async with db:
        await opened(db)
        async with anyio.create_task_group() as tasks:
            flood = partial(
                db["Note"].bulk_create, rows(), batch_size=size, tenant_id="a"
            )
            tasks.start_soon(flood)
            await is_going.wait()
            for number in range(20):
                before = n_read
                await db["Note"].create(number=number, tenant_id="b")
                waited.append((n_read - before) // size)
            is_enough.set()

        assert await db["Note"].count(tenant_id="a") == n_read
        assert max(waited) <= 10


async def test_streams_of_one_tenant_keep_no_other_waiting(database_url: str) -> None:
    db = declared(database_url, pool_size=4)
    async with db:
        for tenant in ("a", "b"):
            rows = [{"number": number} for number in range(50)]
            await db["Note"].bulk_create(rows, tenant_id=tenant)
        async with db["Note"].stream(batch_size=10) as slow:
            with db.tenant("a"):
                assert (await anext(slow))["tenant_id"] == "a"
            with anyio.fail_after(60), db.tenant("b"):
                read = [row async for row in db["Note"].stream()]
            assert len(read) == 50
            assert {row["tenant_id"] for row in read} == {"b"}


async def test_functions_of_one_tenant_keep_no_other_waiting(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.nodes._actor_pool.ActorPool.LIMIT", 4)
    db = declared(sqlite_url)
    goes_on = anyio.Event()
    begun: list[int] = []

    async def long() -> dict[str, Any]:
        begun.append(1)
        await goes_on.wait()
        return {}

    async def quick() -> dict[str, Any]:
        return {"done": True}

    async def run(function: Callable[[], Awaitable[Any]], tenant: str) -> Any:
        workflow = db.workflow()
        workflow.add_node(function, "it")
        return (await db.run(workflow.build(), tenant=tenant))[0]["it"]

    async with db, anyio.create_task_group() as tasks:
        for _ in range(300):
            tasks.start_soon(run, long, "a")
        await wait_all_tasks_blocked()
        assert len(begun) < 300
        with anyio.fail_after(60):
            assert await run(quick, "b") == {"done": True}
        goes_on.set()


# -- refused, by every way ----------------------------------------------------------


@pytest.fixture
async def busy(database_url: str) -> AsyncIterator[DataFlow]:
    """Give a database where tenant a has as many calls as it may."""
    db = declared(database_url, REFUSING, pool_size=3)
    source = Endless()
    async with db, anyio.create_task_group() as tasks:
        await opened(db)
        tasks.start_soon(
            partial(db["Note"].bulk_create, source, batch_size=2, tenant_id="a")
        )
        await source.is_asked.wait()
        yield db
        source.goes_on.set()
    await db.aclose()


async def test_a_direct_call_beyond_a_limit_is_refused_and_does_nothing(
    busy: DataFlow,
) -> None:
    for call in (
        partial(busy["Note"].create, number=9),
        partial(busy["Note"].list),
        partial(busy["Note"].bulk_delete, filter={}, confirmed=True),
    ):
        with busy.tenant("a"), pytest.raises(TenantLimitError) as caught:
            await call()
        assert caught.value.limit == "running"
        assert caught.value.most == 1
        assert "a" not in str(caught.value).split()

    assert await busy["Note"].count(tenant_id="b") == 1


async def test_a_node_of_a_run_beyond_a_limit_fails_the_run(busy: DataFlow) -> None:
    workflow = busy.workflow()
    workflow.add_node("NoteCreateNode", "made", {"number": 9})

    with pytest.raises(WorkflowError, match="made") as caught:
        await busy.run(workflow.build(), tenant="a")
    assert isinstance(caught.value.__cause__, TenantLimitError)
    await busy.run(workflow.build(), tenant="b")


async def test_a_stream_beyond_a_limit_is_refused(busy: DataFlow) -> None:
    with busy.tenant("a"), pytest.raises(TenantLimitError):
        async for _ in busy["Note"].stream():
            pass


async def test_who_looks_after_tenants_is_not_held_to_their_limits(
    busy: DataFlow,
) -> None:
    with busy.cross_tenant(reason="a look"):
        assert await busy["Note"].count(tenant_id="a") in {0, 2}
    counted = await busy.tenants.delete("b", dry_run=True)

    assert counted.rows == {"Note": 1}


async def test_limits_that_are_changed_hold_for_calls_that_wait(
    database_url: str,
) -> None:
    db = declared(database_url, TenantLimits(running=1), pool_size=3)
    source = Endless()
    async with db, anyio.create_task_group() as tasks:
        await opened(db)
        with db.tenant("a"):
            tasks.start_soon(partial(db["Note"].bulk_create, source, batch_size=2))
            await source.is_asked.wait()
            done = anyio.Event()

            async def create() -> None:
                await db["Note"].create(number=7)
                done.set()

            tasks.start_soon(create)
            while not db.tenants.waiting():
                await wait_all_tasks_blocked()
            assert db.tenants.waiting() == {"a": 1}
            assert db.tenants.limit("a", running=2).running == 2
            with anyio.fail_after(60):
                await done.wait()
        source.goes_on.set()


def test_what_is_no_limit_of_one_tenant_is_told() -> None:
    db = declared("sqlite:///:memory:")
    nobody: Any = 7
    try:
        with pytest.raises(TypeError, match="'speed' is no limit"):
            db.tenants.limit("a", speed=3)
        with pytest.raises(TypeError, match="'overrides' is no limit"):
            db.tenants.limit("a", overrides={})
        with pytest.raises(ValueError, match="at least 1, not 0"):
            db.tenants.limit("a", running=0)
        with pytest.raises(TypeError, match="not empty"):
            db.tenants.limits("")
        with pytest.raises(TypeError, match="not empty"):
            db.tenants.unlimit(nobody)
        assert db.tenants.limits("a") == TenantLimits()
    finally:
        db.close()


# -- however tenants are kept apart -------------------------------------------------


async def test_limits_hold_behind_the_second_wall(place: Place) -> None:
    db = declared(place.url, TenantLimits(running=2), pool_size=3, **place.options)
    async with db:
        with db.tenant("a"):
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(partial(db["Note"].create, number=number))
            assert await db["Note"].count() == 20
        assert db.tenants.waiting() == {}
        db.tenants.limit("a", per_second=0.001, burst=1, exceeding="refuse")
        with db.tenant("a"):
            await db["Note"].count()
            with pytest.raises(TenantLimitError):
                await db["Note"].count()
    await db.aclose()


async def test_limits_hold_where_each_tenant_has_a_place(apart: Apart) -> None:
    limits = TenantLimits(running=1, exceeding="refuse")
    db = declared(apart.url, limits, tenancy=apart.tenancy, pool_size=3)

    @db.model
    class Country:
        code: str

    async with db:
        for tenant in ("a", "b"):
            await db.tenants.create(tenant)
            await db["Note"].create(number=0, tenant_id=tenant)
        await db["Country"].create(code="de")
        source = Endless()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                partial(db["Note"].bulk_create, source, batch_size=2, tenant_id="a")
            )
            await source.is_asked.wait()
            with pytest.raises(TenantLimitError):
                await db["Note"].count(tenant_id="a")
            with db.tenant("a"), pytest.raises(TenantLimitError):
                await db["Country"].count()
            assert await db["Note"].count(tenant_id="b") == 1
            assert db.tenants.limit("a", running=2).running == 2
            assert await db["Note"].count(tenant_id="a") in {1, 3}
            source.goes_on.set()
        assert await db["Note"].count(tenant_id="a") == 5
        assert db.tenants.waiting() == {}
        await apart.clear(db)
    await db.aclose()
