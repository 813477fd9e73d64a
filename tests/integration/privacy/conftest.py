"""A shop whose customers are persons, on both databases."""

from __future__ import annotations

import logging
import warnings
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from canaries import CANARY
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


@pytest.fixture
def sinks(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Collect whatever is logged or warned of, by the package and by the clients."""
    told: list[str] = []

    def keep(_: object, __: str, event: MutableMapping[str, Any]) -> str:
        told.append(repr(event))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, keep])
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield told
        told += [str(each.message) for each in caught]
    structlog.reset_defaults()
    told += [repr(each.__dict__) for each in caplog.records]
    assert CANARY not in "\n".join(told)
