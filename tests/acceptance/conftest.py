"""What the acceptance tests share: a database and plain synchronous code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataflow import DataFlow


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    """Give a DataFlow on a new database; run a test on both databases."""
    db = DataFlow(database_url)
    yield db
    db.close()
