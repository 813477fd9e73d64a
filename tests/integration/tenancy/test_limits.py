"""Limits of tenants, and turns between them, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dataflow import DataFlow, TenantLimits
from dataflow.errors import TenantLimitError


def declared(url: str, limits: TenantLimits | None = None) -> DataFlow:
    db = DataFlow(url, tenant_limits=limits)

    @db.model
    class Invoice:
        number: int

        __dataflow__ = {"multi_tenant": True}  # noqa: RUF012

    return db


async def test_a_tenant_that_floods_loses_nothing_and_keeps_nobody_out(
    database_url: str,
) -> None:
    db = declared(database_url)
    stored: list[str] = []

    async def store(tenant: str, number: int) -> None:
        await db["Invoice"].create(number=number, tenant_id=tenant)
        stored.append(tenant)

    async with db:
        await store("b", -1)
        async with anyio.create_task_group() as tasks:
            for number in range(1500):
                tasks.start_soon(store, "a", number)
            tasks.start_soon(store, "b", 0)
        with db.tenant("a"):
            assert await db["Invoice"].count() == 1500

    assert "a" in stored[stored.index("b", 1) + 1 :]


async def test_calls_beyond_running_wait_and_all_are_done(database_url: str) -> None:
    db = declared(database_url, TenantLimits(running=2))

    async with db:
        with db.tenant("a"):
            async with anyio.create_task_group() as tasks:
                for number in range(50):
                    tasks.start_soon(lambda n: db["Invoice"].create(number=n), number)
            assert await db["Invoice"].count() == 50
        assert db.tenants.waiting() == {}


async def test_what_goes_beyond_a_limit_is_refused_if_that_is_wanted(
    database_url: str,
) -> None:
    db = declared(database_url, TenantLimits(per_second=0.001, exceeding="refuse"))

    async with db:
        with db.tenant("a"):
            await db["Invoice"].create(number=1)
            with pytest.raises(TenantLimitError) as caught:
                await db["Invoice"].create(number=2)
            assert (caught.value.tenant, caught.value.limit) == ("a", "per_second")
            assert caught.value.retry_after == pytest.approx(1000, rel=0.01)
            db.tenants.limit("a", per_second=None, running=1)
            await db["Invoice"].create(number=3)
            db.tenants.unlimit("a")
            with pytest.raises(TenantLimitError):
                await db["Invoice"].create(number=4)


async def test_a_call_too_many_that_waits_is_refused(database_url: str) -> None:
    db = declared(database_url, TenantLimits(running=1, waiting=3))
    refused: list[str] = []

    async def store(number: int) -> None:
        try:
            await db["Invoice"].create(number=number)
        except TenantLimitError as error:
            refused.append(error.limit)

    async with db:
        with db.tenant("a"):
            async with anyio.create_task_group() as tasks:
                for number in range(10):
                    tasks.start_soon(store, number)
            n_stored = await db["Invoice"].count()

    assert n_stored + len(refused) == 10
    assert n_stored >= 3
    assert set(refused) == {"waiting"}


async def test_calls_given_up_while_they_wait_leave_no_trace(
    database_url: str,
) -> None:
    db = declared(database_url, TenantLimits(running=1))

    async with db:
        with db.tenant("a"):
            await db["Invoice"].create(number=0)
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(lambda n: db["Invoice"].create(number=n), number)
                await checkpoint()
                tasks.cancel_scope.cancel()
            with anyio.fail_after(5):
                await db["Invoice"].create(number=99)
        assert db.tenants.waiting() == {}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: TenantLimits(running=0), "running"),
        (lambda: TenantLimits(weight=0.0), "weight"),
        (lambda: TenantLimits(burst=3), "burst"),
        (lambda: TenantLimits(exceeding=cast("Any", "no")), "exceeding"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    wrong: Callable[[], TenantLimits], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
