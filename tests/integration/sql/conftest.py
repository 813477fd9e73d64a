"""Both databases at once, to hold one against the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dataflow.drivers import Bridge, Driver, connect, parse_url


@pytest.fixture
async def drivers(
    sqlite_url: str, postgres_url: str, bridge: Bridge
) -> AsyncIterator[tuple[Driver, Driver]]:
    """Give a driver on a new database of each kind."""
    urls = (sqlite_url, postgres_url)
    made = [connect(parse_url(url), bridge, pool_size=4) for url in urls]
    yield made[0], made[1]
    for driver in made:
        await driver.aclose()
