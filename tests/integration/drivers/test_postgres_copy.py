"""COPY through the driver: all or nothing, and never a wait that nobody ends."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from dataflow.drivers import Bridge, Connection, Driver, connect, parse_url
from dataflow.errors import ConnectionLostError, DriverError, DuplicateKeyError
from dataflow.sql import Statement

pytestmark = pytest.mark.postgres

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
COPY = "COPY t FROM STDIN (FORMAT binary)"
N_ROWS = 100_000


@pytest.fixture
async def postgres(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    driver = connect(parse_url(postgres_url), bridge, pool_size=2)
    async with driver.acquire() as connection:
        await connection.run([Statement("CREATE TABLE t (a bigint UNIQUE, b text)")])
    yield driver
    await driver.aclose()


def rows(start: int, stop: int) -> bytes:
    return b"".join(
        struct.pack(">hiqi30s", 2, 8, n, 30, b"x" * 30) for n in range(start, stop)
    )


def whole(count: int) -> bytes:
    return HEADER + rows(0, count) + TRAILER


def pieces(count: int) -> Iterator[bytes]:
    yield HEADER
    for start in range(0, count, 1_000):
        yield rows(start, start + 1_000)
    yield TRAILER


async def n_rows(connection: Connection) -> int:
    text = "SELECT count(*) FROM t"
    (result,) = await connection.run([Statement(text, returns_rows=True)])
    return int(result.rows[0][0])


def copy(*, in_pieces: bool, count: int = N_ROWS) -> Statement:
    return Statement(COPY, packed=pieces(count) if in_pieces else whole(count))


KINDS = pytest.mark.parametrize("kind", ["whole", "pieces"])


@KINDS
async def test_rows_are_stored_and_counted(kind: str, postgres: Driver) -> None:
    statement = copy(in_pieces=kind == "pieces", count=3_000)
    async with postgres.acquire() as connection:
        (result,) = await connection.run([statement])

        assert result.count == await n_rows(connection) == 3_000


@KINDS
async def test_a_refused_row_stores_nothing(kind: str, postgres: Driver) -> None:
    statement = copy(in_pieces=kind == "pieces", count=3_000)
    async with postgres.acquire() as connection:
        await connection.run([Statement("INSERT INTO t VALUES (2500)")])
        with pytest.raises(DuplicateKeyError):
            await connection.run([statement])

        assert await n_rows(connection) == 1


async def when_it_runs(connection: Connection, what: str) -> None:
    """Select *what* as soon as a COPY is on its way."""
    text = f"SELECT {what} FROM pg_stat_progress_copy WHERE tuples_processed > 0"  # noqa: S608
    statement = Statement(text, returns_rows=True)
    while not (await connection.run([statement]))[0].rows:
        pass


@KINDS
@pytest.mark.parametrize("is_inside", ["alone", "inside"])
async def test_a_cancelled_copy_keeps_nothing(
    kind: str, is_inside: str, postgres: Driver
) -> None:
    async def work(scope: anyio.CancelScope) -> None:
        with scope:
            async with postgres.acquire() as connection:
                statement = copy(in_pieces=kind == "pieces")
                if is_inside == "alone":
                    await connection.run([statement])
                else:
                    async with connection.transaction():
                        await connection.run([statement])

    scope = anyio.CancelScope()
    with anyio.fail_after(20):
        async with postgres.acquire() as other, anyio.create_task_group() as tasks:
            tasks.start_soon(work, scope)
            await when_it_runs(other, "pid")
            scope.cancel()
        async with postgres.acquire() as connection:
            kept = await n_rows(connection)
            again = await connection.run([copy(in_pieces=False, count=10)])

    assert scope.cancelled_caught
    assert (kept, again[0].count) == (0, 10)


@KINDS
async def test_a_killed_connection_is_told_within_a_second(
    kind: str, postgres: Driver
) -> None:
    killed_at = 0.0

    async def kill() -> None:
        nonlocal killed_at
        await when_it_runs(other, "pg_terminate_backend(pid)")
        killed_at = anyio.current_time()

    async with postgres.acquire() as connection, postgres.acquire() as other:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(kill)
                with pytest.raises(ConnectionLostError):
                    await connection.run([copy(in_pieces=kind == "pieces")])

        assert anyio.current_time() < killed_at + 1
        assert await n_rows(other) == 0
        with pytest.raises(ConnectionLostError):
            await connection.run([copy(in_pieces=kind == "pieces", count=10)])


async def test_an_error_of_what_makes_the_pieces_is_raised(postgres: Driver) -> None:
    def broken() -> Iterator[bytes]:
        yield HEADER
        yield rows(0, 5_000)
        raise LookupError

    async with postgres.acquire() as connection:
        with pytest.raises(LookupError):
            await connection.run([Statement(COPY, packed=broken())])
        with pytest.raises(LookupError):
            async with connection.transaction():
                await connection.run([Statement(COPY, packed=broken())])

        assert await n_rows(connection) == 0


async def test_what_is_no_copy_data_is_refused(postgres: Driver) -> None:
    async with postgres.acquire() as connection:
        with pytest.raises(DriverError):
            await connection.run([Statement(COPY, packed=b"no rows")])

        assert await n_rows(connection) == 0
