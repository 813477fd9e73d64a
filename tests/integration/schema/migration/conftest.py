"""What tests of migrations share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postgres import PostgresServer

from dataflow.drivers import Bridge, Driver, connect, parse_url


@pytest.fixture
async def driver(database_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver for a new database."""
    made = connect(parse_url(database_url), bridge, pool_size=12)
    yield made
    await made.aclose()


@pytest.fixture
async def reference(
    database_url: str,
    bridge: Bridge,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> AsyncIterator[Driver]:
    """Give a driver for another new database of the same kind."""
    if database_url.startswith("sqlite"):
        made = connect(parse_url(f"sqlite:///{tmp_path / 'reference.db'}"), bridge)
        yield made
        await made.aclose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    made = connect(parse_url(server.url_of(name)), bridge)
    yield made
    await made.aclose()
    server.drop(name)


@pytest.fixture
async def postgres_driver(postgres_url: str, bridge: Bridge) -> AsyncIterator[Driver]:
    """Give a driver for a new PostgreSQL database."""
    made = connect(parse_url(postgres_url), bridge, pool_size=4)
    yield made
    await made.aclose()
