"""A shop whose customers are persons, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from persons import declare_shop

from dataflow import DataFlow
from dataflow.protection import allow


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[DataFlow]:
    """Give a shop, entered, whose rules let everybody see everything."""
    db = DataFlow(database_url, protection=[allow("unmask")])
    declare_shop(db)
    async with db:
        yield db
    await db.aclose()
