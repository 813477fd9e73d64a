"""Fixtures for every test: both event loops."""

from __future__ import annotations

from typing import Any

import pytest

Backend = tuple[str, dict[str, Any]]

ASYNCIO: Backend = ("asyncio", {"debug": True})
TRIO: Backend = ("trio", {})


@pytest.fixture(
    params=[pytest.param(ASYNCIO, id="asyncio"), pytest.param(TRIO, id="trio")]
)
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Run each asynchronous test on both event loops."""
    backend: Backend = request.param
    return backend
