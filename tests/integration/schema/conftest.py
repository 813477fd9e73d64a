"""A driver for each database, closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dataflow.drivers import Driver, connect, open_bridge, parse_url


@pytest.fixture
async def driver(database_url: str) -> AsyncIterator[Driver]:
    """Give a driver for a new database."""
    async with open_bridge() as bridge:
        made = connect(parse_url(database_url), bridge)
        yield made
        await made.aclose()
