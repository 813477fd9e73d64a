"""What happens when PostgreSQL, or the way to it, fails."""

from __future__ import annotations

import asyncio
import socket
import threading
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any, final
from urllib.parse import quote

import anyio
import pytest
from postgres import SCRAM_ROLE, PostgresServer

from dataflow.drivers import (
    Bridge,
    Connection,
    DatabaseUrl,
    Driver,
    connect,
    parse_url,
)
from dataflow.errors import (
    AuthenticationError,
    ConnectionLostError,
    DatabaseUnreachableError,
    DriverError,
)
from dataflow.sql import Statement

pytestmark = pytest.mark.postgres

CANARY = "sEcReT-canary"
ONE = Statement("SELECT 1", returns_rows=True)
SLOW = Statement("SELECT pg_sleep(3600)", returns_rows=True)


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    """End a test that hangs."""
    with anyio.fail_after(20):
        yield


@pytest.fixture
async def postgres(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new PostgreSQL database."""
    driver = connect(parse_url(postgres_url), bridge, pool_size=2)
    yield driver
    await driver.aclose()


async def is_of_use(driver: Driver) -> bool:
    async with driver.acquire() as connection:
        (result,) = await connection.run([ONE])
    return [tuple(row) for row in result.rows] == [(1,)]


async def failure_of(url: str | DatabaseUrl, bridge: Bridge) -> DriverError:
    """Return the error that connecting gives, twice over."""
    driver = connect(
        parse_url(url) if isinstance(url, str) else url, bridge, pool_size=1
    )
    with pytest.raises(DriverError):
        await is_of_use(driver)
    with pytest.raises(DriverError) as caught:
        await is_of_use(driver)
    await driver.aclose()

    text = "".join(traceback.format_exception(caught.value))
    assert CANARY not in text
    assert CANARY not in repr(caught.value.__cause__)
    assert (driver.statistics().open, driver.statistics().waiting) == (0, 0)
    return caught.value


# -- no connection ------------------------------------------------------------------


async def test_a_wrong_password_is_an_authentication_error(
    postgres_server: PostgresServer, postgres_url: str, bridge: Bridge
) -> None:
    postgres_server.execute(f"CREATE ROLE {SCRAM_ROLE} LOGIN PASSWORD 'right'")
    try:
        url = parse_url(postgres_url)
        wrong = DatabaseUrl(
            url.dialect, url.host, url.port, SCRAM_ROLE, CANARY, url.database
        )
        error = await failure_of(wrong, bridge)
        right = DatabaseUrl(
            url.dialect, url.host, url.port, SCRAM_ROLE, "right", url.database
        )
        driver = connect(right, bridge)
        entered = await is_of_use(driver)
        await driver.aclose()
    finally:
        postgres_server.execute(f"DROP ROLE {SCRAM_ROLE}")

    assert isinstance(error, AuthenticationError)
    assert error.code == "28P01"
    assert not error.retryable
    assert entered


@pytest.mark.parametrize("part", ["user", "database"])
async def test_an_unknown_role_or_database_is_an_authentication_error(
    postgres_url: str, bridge: Bridge, part: str
) -> None:
    url = parse_url(postgres_url)
    user, database = url.user, url.database
    if part == "user":
        user = "nobody"
    else:
        database = "nowhere"
    password = url.password if part == "database" else CANARY
    error = await failure_of(
        DatabaseUrl(url.dialect, url.host, url.port, user, password, database), bridge
    )

    assert isinstance(error, AuthenticationError)


@pytest.mark.parametrize(
    ("place", "named"),
    [
        pytest.param("127.0.0.1:1/db", "127.0.0.1:1, database db", id="refused"),
        pytest.param(
            "nowhere.invalid:5433/db", "nowhere.invalid:5433", id="unresolvable"
        ),
        pytest.param("%2Fnowhere/db", "/nowhere, database db", id="no socket"),
        pytest.param(":1", "the default host:1, database the default", id="defaults"),
    ],
)
async def test_a_server_out_of_reach_is_named(
    bridge: Bridge, place: str, named: str
) -> None:
    error = await failure_of(f"postgresql://user:{CANARY}@{place}", bridge)

    assert isinstance(error, DatabaseUnreachableError)
    assert f"cannot reach PostgreSQL at {named}" in str(error)
    assert error.retryable


async def test_a_server_that_does_not_answer_is_given_up(bridge: Bridge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://user:{CANARY}@127.0.0.1:{port}/db?connect_timeout=0.05"
        error = await failure_of(url, bridge)

    assert isinstance(error, DatabaseUnreachableError)
    assert "no answer in time" in str(error)


async def test_a_cancelled_connect_leaves_nothing_behind(bridge: Bridge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        driver = connect(parse_url(f"postgresql://127.0.0.1:{port}/db"), bridge)
        with anyio.move_on_after(0.05) as scope:
            await is_of_use(driver)
        open_after = driver.statistics().open
        await driver.aclose()

    assert scope.cancelled_caught
    assert open_after == 0


async def test_a_full_server_is_out_of_reach_for_now(
    postgres_server: PostgresServer, postgres_url: str, bridge: Bridge
) -> None:
    name = parse_url(postgres_url).database
    postgres_server.execute("CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    try:
        url = parse_url(postgres_url)
        crowd = DatabaseUrl(url.dialect, url.host, url.port, "crowd", None, name)
        error = await failure_of(crowd, bridge)
    finally:
        postgres_server.execute("DROP ROLE crowd")

    assert isinstance(error, DatabaseUnreachableError)
    assert (error.code, error.retryable) == ("53300", True)


@pytest.mark.parametrize("name", ["set_type_codec", "close"])
async def test_a_client_that_fails_as_it_is_made_or_closed_is_dropped(
    postgres_url: str, bridge: Bridge, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asyncpg: Any = import_module("asyncpg")

    async def fail(*_: object, **__: object) -> None:
        message = "no"
        raise asyncpg.InterfaceError(message)

    driver = connect(parse_url(postgres_url), bridge)
    monkeypatch.setattr(asyncpg.Connection, name, fail)
    with suppress(DriverError):
        await is_of_use(driver)
    await driver.aclose()

    assert driver.statistics().open == 0


# -- a lost connection ----------------------------------------------------------------


def kill(server: PostgresServer, driver: Driver) -> None:
    """End every connection to the driver's database, and wait for the end."""
    backends = f"pg_stat_activity WHERE datname = '{driver.url.database}'"
    server.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM {backends}")  # noqa: S608


async def until_slow(server: PostgresServer, driver: Driver, count: int) -> None:
    """Wait until the server works on so many slow statements."""
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "  # noqa: S608
        f"AND datname = '{driver.url.database}' AND query LIKE 'SELECT pg_sleep%'"
    )
    text = (
        f"DO $$ BEGIN WHILE ({running}) < {count} LOOP "
        "PERFORM pg_sleep(0.005); PERFORM pg_stat_clear_snapshot(); "
        "END LOOP; END $$"
    )
    await anyio.to_thread.run_sync(server.execute, text)


async def test_a_connection_killed_idle_is_replaced_silently(
    postgres: Driver, postgres_server: PostgresServer
) -> None:
    assert await is_of_use(postgres)
    kill(postgres_server, postgres)
    await anyio.sleep(0.02)  # the client reads the end of the connection

    assert await is_of_use(postgres)
    assert postgres.statistics().open == 1


async def test_a_connection_killed_in_a_statement_is_lost(
    postgres: Driver, postgres_server: PostgresServer
) -> None:
    lost: list[ConnectionLostError] = []

    async def wait() -> None:
        with pytest.raises(ConnectionLostError) as caught:
            async with postgres.acquire() as connection:
                await connection.run([SLOW])
        lost.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await until_slow(postgres_server, postgres, 2)
        await anyio.to_thread.run_sync(kill, postgres_server, postgres)

    assert [error.retryable for error in lost] == [True, True]
    assert postgres.statistics().open == 0
    assert await is_of_use(postgres)


async def run_after_a_kill(
    connection: Connection, server: PostgresServer, driver: Driver
) -> None:
    async with connection.transaction(), connection.transaction():
        await anyio.to_thread.run_sync(kill, server, driver)
        await connection.run([ONE])


async def nest_after_a_kill(
    connection: Connection, server: PostgresServer, driver: Driver
) -> None:
    async with connection.transaction():
        await anyio.to_thread.run_sync(kill, server, driver)
        async with connection.transaction():
            raise AssertionError


async def test_a_connection_killed_in_a_transaction_is_lost(
    postgres: Driver, postgres_server: PostgresServer
) -> None:
    async with postgres.acquire() as connection:
        with pytest.raises(ConnectionLostError):
            await run_after_a_kill(connection, postgres_server, postgres)
        with pytest.raises(ConnectionLostError):
            await connection.run([ONE])
    async with postgres.acquire() as connection:
        with pytest.raises(ConnectionLostError):
            await nest_after_a_kill(connection, postgres_server, postgres)

    assert postgres.statistics().open == 0
    assert await is_of_use(postgres)


async def test_a_connection_killed_in_a_stream_is_lost(
    postgres: Driver, postgres_server: PostgresServer
) -> None:
    numbers = Statement("SELECT generate_series(1, 10)")
    async with postgres.acquire() as connection:
        stream = connection.stream(numbers, batch=2)
        await anext(stream)
        await anyio.to_thread.run_sync(kill, postgres_server, postgres)
        with pytest.raises(ConnectionLostError):
            await anext(stream)

    assert await is_of_use(postgres)


async def close_stream_after_a_kill(driver: Driver, server: PostgresServer) -> None:
    numbers = Statement("SELECT generate_series(1, 10)")
    async with driver.acquire() as connection, connection.transaction():
        stream = connection.stream(numbers, batch=2)
        await anext(stream)
        await anyio.to_thread.run_sync(kill, server, driver)
        await stream.aclose()
        await connection.run([ONE])


async def test_a_stream_whose_connection_was_killed_can_be_closed(
    postgres: Driver, postgres_server: PostgresServer
) -> None:
    with pytest.raises(ConnectionLostError):
        await close_stream_after_a_kill(postgres, postgres_server)

    assert await is_of_use(postgres)


# -- a proxy in between -----------------------------------------------------------------


@final
class Proxy:
    """Passes bytes to the server and back, until told otherwise."""

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._wait(self._start())

    @property
    def url(self) -> DatabaseUrl:
        """Where to find the database through the proxy."""
        host, port = self._server.sockets[0].getsockname()
        login = quote(self._url.user or "", safe="")
        if self._url.password:
            login += f":{quote(self._url.password, safe='')}"
        return parse_url(
            f"postgresql://{login}@{host}:{port}/{self._url.database}?sslmode=disable"
        )

    def cut(self) -> None:
        """End every connection at once."""
        self._loop.call_soon_threadsafe(self._abort)

    def freeze(self) -> None:
        """Pass nothing on any more, on the connections there are."""
        self._loop.call_soon_threadsafe(self._cancel)

    def close(self) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        self._cancel()
        self._abort()
        await asyncio.sleep(0.01)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, port = self._url.host or "127.0.0.1", self._url.port or 5432
        if host.startswith("/"):
            path = f"{host}/.s.PGSQL.{port}"
            there = await asyncio.open_unix_connection(path)
        else:
            there = await asyncio.open_connection(host, port)
        self._writers += [writer, there[1]]
        for source, target in ((reader, there[1]), (there[0], writer)):
            self._tasks.add(asyncio.create_task(self._pump(source, target)))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while content := await reader.read(65536):
            writer.write(content)
        writer.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    proxy = Proxy(parse_url(postgres_url))
    yield proxy
    proxy.close()


@pytest.fixture
async def distant(proxy: Proxy, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver that reaches its database through the proxy."""
    driver = connect(proxy.url, bridge, pool_size=2)
    yield driver
    await driver.aclose()


async def test_a_cut_in_a_statement_is_a_lost_connection(
    distant: Driver, proxy: Proxy, postgres_server: PostgresServer
) -> None:
    async def wait() -> None:
        with pytest.raises(ConnectionLostError):
            async with distant.acquire() as connection:
                await connection.run([SLOW])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await until_slow(postgres_server, distant, 1)
        proxy.cut()

    assert distant.statistics().open == 0
    assert await is_of_use(distant)


async def commit_into_nothing(connection: Connection, proxy: Proxy) -> None:
    async with connection.transaction():
        await connection.run([Statement("INSERT INTO t VALUES (1)")])
        proxy.cut()


async def test_a_cut_at_the_commit_is_a_lost_connection(
    distant: Driver, proxy: Proxy
) -> None:
    async with distant.acquire() as connection:
        await connection.run([Statement("CREATE TABLE t (a INT)")])
        with pytest.raises(ConnectionLostError):
            await commit_into_nothing(connection, proxy)

    assert await is_of_use(distant)


async def test_a_frozen_server_holds_a_cancelled_caller_for_a_bounded_time(
    distant: Driver, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.drivers._session.GRACE_S", 0.1)
    with anyio.CancelScope() as scope:
        async with distant.acquire() as connection, connection.transaction():
            await connection.run([ONE])
            proxy.freeze()
            scope.deadline = anyio.current_time() + 0.2
            await connection.run([ONE])

    assert scope.cancelled_caught
    assert anyio.current_time() - scope.deadline < 10
    assert distant.statistics().open == 0
    assert await is_of_use(distant)


async def test_closing_on_a_frozen_server_ends_in_time(
    distant: Driver, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.drivers._pool.GRACE_S", 0.05)
    assert await is_of_use(distant)
    proxy.freeze()
    started = anyio.current_time()
    await distant.aclose()

    assert anyio.current_time() - started < 10
    assert distant.statistics().open == 0
