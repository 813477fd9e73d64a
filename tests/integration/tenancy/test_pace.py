"""Bulk work of one tenant, beside short calls of another."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from dataflow import DataFlow, Records
from dataflow.errors import PartlyStoredError

N_ROWS = 3_000


@pytest.fixture(autouse=True)
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls of others be remembered, however slow the machine is."""
    monkeypatch.setattr("dataflow.nodes.limits._pace.CROWDED_S", math.inf)


@pytest.fixture
async def notes(database_url: str) -> AsyncIterator[Records]:
    db = DataFlow(database_url, pool_size=4)

    @db.model
    class Note:
        code: str
        number: int
        text: str = "new"

        __dataflow__ = {"multi_tenant": True, "primary_key": ["code"]}  # noqa: RUF012

    async with db:
        await db["Note"].create(code="0", number=0, tenant_id="b")
        yield db["Note"]


@asynccontextmanager
async def calling(notes: Records) -> AsyncGenerator[list[int]]:
    """Call for another tenant as long as the block lasts."""
    is_over, numbers = anyio.Event(), list[int]()

    async def call() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            await notes.update("0", number=number, tenant_id="b")
            numbers.append((await notes.read("0", tenant_id="b"))["number"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        yield numbers
        is_over.set()


class Neighbour:
    """Somebody else, who calls when asked to."""

    def __init__(self, notes: Records) -> None:
        self._notes = notes
        self._is_asked = anyio.Event()
        self._is_answered = anyio.Event()

    async def wait(self) -> None:
        """Call when asked to, for the other tenant."""
        while True:
            await self._is_asked.wait()
            self._is_asked = anyio.Event()
            await self._notes.update("0", number=1, tenant_id="b")
            self._is_answered.set()

    async def call(self) -> None:
        """See that it calls, and wait until it was answered."""
        self._is_answered = anyio.Event()
        self._is_asked.set()
        await self._is_answered.wait()


@pytest.fixture
async def neighbour(notes: Records) -> AsyncIterator[Neighbour]:
    async with anyio.create_task_group() as tasks:
        neighbour = Neighbour(notes)
        tasks.start_soon(neighbour.wait)
        yield neighbour
        tasks.cancel_scope.cancel()


def code(n: int) -> str:
    return f"{n:05}"


def rows(text: str) -> list[dict[str, Any]]:
    return [{"code": code(n), "number": -n, "text": text} for n in range(N_ROWS)]


@pytest.mark.parametrize("as_iterator", [False, True])
@pytest.mark.parametrize("atomic", [None, True])
async def test_bulk_work_stores_the_same_beside_calls_of_others(
    notes: Records, *, as_iterator: bool, atomic: bool | None
) -> None:
    def data(text: str) -> Any:
        return iter(rows(text)) if as_iterator else rows(text)

    options: dict[str, Any] = {"batch_size": 1_100, "tenant_id": "a", "atomic": atomic}
    async with calling(notes) as numbers:
        made = await notes.bulk_create(data("created"), return_ids=True, **options)
        first = await notes.list(order_by=["code"], limit=N_ROWS, tenant_id="a")
        merged = await notes.bulk_upsert(data("merged"), **options)
        changed = await notes.bulk_update(data=data("changed"), **options)

    assert made["ids"] == list(map(code, range(N_ROWS)))
    assert first["records"] == [{**row, "tenant_id": "a"} for row in rows("created")]
    assert merged["updated"] == changed["updated"] == N_ROWS
    last = await notes.list(order_by=["code"], limit=N_ROWS, tenant_id="a")
    assert last["records"] == [{**row, "tenant_id": "a"} for row in rows("changed")]
    assert numbers == [*range(1, len(numbers) + 1)]


async def test_a_bulk_create_takes_small_batches_once_others_call(
    notes: Records, neighbour: Neighbour
) -> None:
    size = 4_000

    async def data() -> AsyncIterator[dict[str, Any]]:
        for n in range(2 * size - 1):
            if n == size:
                await neighbour.call()
            yield {"code": code(n), "number": n}
        raise OSError

    with pytest.raises(PartlyStoredError) as refusal:
        await notes.bulk_create(data(), batch_size=size, tenant_id="a")

    # With no call between, nothing of the second batch would be stored.
    assert size < refusal.value.processed < 2 * size
    assert await notes.count(tenant_id="a") == refusal.value.processed


async def test_what_fits_into_one_batch_stays_all_or_nothing_beside_others(
    notes: Records, neighbour: Neighbour
) -> None:
    async def data() -> AsyncIterator[dict[str, Any]]:
        for n in range(N_ROWS):
            if n % 500 == 0:
                await neighbour.call()
            yield {"code": code(n), "number": n}
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        await notes.bulk_create(data(), batch_size=N_ROWS + 1, tenant_id="a")

    assert await notes.count(tenant_id="a") == 0


async def test_a_bulk_create_that_is_cancelled_while_it_gives_way_ends(
    notes: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    gives_way = anyio.Event()

    def waiting(_: object) -> bool:
        gives_way.set()
        return True

    monkeypatch.setattr("dataflow.nodes.limits._pace.SharedPace.gives_way", waiting)
    async with anyio.create_task_group() as tasks:

        async def create() -> None:
            await notes.bulk_create(iter(rows("new")), batch_size=100, tenant_id="a")

        tasks.start_soon(create)
        await gives_way.wait()
        tasks.cancel_scope.cancel()

    assert await notes.count(tenant_id="a") in range(0, N_ROWS, 100)
    assert await notes.count(tenant_id="b") == 1
