"""Fixtures for tests of tenants: both databases, and PostgreSQL with row security."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres import PostgresServer
from tenants import ROLE, Place, owned_by


@pytest.fixture(scope="session")
def app_role(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the name of a role that owns databases, and nothing else."""
    postgres_server.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
    yield ROLE
    postgres_server.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def walled(postgres_url: str, postgres_server: PostgresServer, app_role: str) -> Place:
    """Give a database of PostgreSQL with row security, still empty."""
    return owned_by(postgres_server, postgres_url, app_role)


@pytest.fixture(
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
        pytest.param("walled", id="walled", marks=pytest.mark.postgres),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    """Run a test on both databases, and on PostgreSQL with row security."""
    if request.param == "walled":
        walled: Place = request.getfixturevalue("walled")
        return walled
    url: str = request.getfixturevalue(f"{request.param}_url")
    return Place(url, url)
