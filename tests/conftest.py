"""Fixtures for every test: both event loops, both databases."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from dataflow.drivers import Bridge, Driver, connect, open_bridge, parse_url

sys.path.insert(0, str(Path(__file__).parent))  # import mode `importlib` adds nothing

from postgres import PostgresServer, run_postgres

Backend = tuple[str, dict[str, Any]]

# A machine that stalls for a moment is no counterexample.
settings.register_profile("dataflow", deadline=None)
settings.load_profile("dataflow")

ASYNCIO: Backend = ("asyncio", {"debug": True})
TRIO: Backend = ("trio", {})


@pytest.fixture(
    params=[pytest.param(ASYNCIO, id="asyncio"), pytest.param(TRIO, id="trio")]
)
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Run each asynchronous test on both event loops."""
    backend: Backend = request.param
    return backend


@pytest.fixture(autouse=True)
def unconfigured_logs() -> Iterator[None]:
    """Forget what a test before this one made of structlog: it decides who is told."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give the PostgreSQL server of this run; fails where there is none."""
    with run_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of a new PostgreSQL database, dropped after the test."""
    name = postgres_server.create()
    yield postgres_server.url_of(name)
    postgres_server.drop(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(
    params=[
        pytest.param("sqlite_url", id="sqlite"),
        pytest.param("postgres_url", id="postgres", marks=pytest.mark.postgres),
    ]
)
def database_url(request: pytest.FixtureRequest) -> str:
    """Run a test on both databases: give the URL of a new one."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """Let database clients run on the event loop of the test."""
    async with open_bridge() as bridge:
        yield bridge


@pytest.fixture
async def driver(database_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver on a new database; run a test on both databases."""
    driver = connect(parse_url(database_url), bridge, pool_size=4)
    yield driver
    await driver.aclose()
