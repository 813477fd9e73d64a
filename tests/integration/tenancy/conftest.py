"""Fixtures for tests of tenants: both databases, and PostgreSQL with row security."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from postgres import PostgresServer
from tenants import ROLE, Apart, Place, owned_by


@pytest.fixture(scope="session")
def app_role(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the name of a role that owns databases, and nothing else."""
    postgres_server.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
    yield ROLE
    postgres_server.execute(f"DROP ROLE {ROLE}")


@pytest.fixture(autouse=True)
def no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deletions wait for no other process."""
    monkeypatch.setattr("dataflow._dataflow.tenants._tenants.FRESH_S", 0.0)


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


@pytest.fixture
def schemas(postgres_url: str, postgres_server: PostgresServer, app_role: str) -> Place:
    """Give a database where each tenant has a schema, to a role that is no superuser."""
    owned = owned_by(postgres_server, postgres_url, app_role)
    return Place(owned.url, owned.all_url, {"tenancy": "schema"})


@pytest.fixture(
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
        pytest.param("walled", id="walled", marks=pytest.mark.postgres),
        pytest.param("schemas", id="schemas", marks=pytest.mark.postgres),
    ]
)
def every_place(request: pytest.FixtureRequest) -> Place:
    """Run a test on these, and with a schema for each tenant."""
    if request.param in {"walled", "schemas"}:
        found: Place = request.getfixturevalue(request.param)
        return found
    url: str = request.getfixturevalue(f"{request.param}_url")
    return Place(url, url)


def _kind(name: str, tenancy: str) -> Any:
    marks = [pytest.mark.postgres] if name == "postgres" else []
    return pytest.param((name, tenancy), id=f"{name}-{tenancy}", marks=marks)


APART = [
    _kind("sqlite", "database"),
    _kind("postgres", "database"),
    _kind("postgres", "schema"),
]


@pytest.fixture(params=APART)
def apart(request: pytest.FixtureRequest) -> Apart:
    """Run a test with a database for each tenant, and with a schema for each."""
    name, tenancy = request.param
    return Apart(request.getfixturevalue(f"{name}_url"), tenancy)


@pytest.fixture(params=[_kind("sqlite", "row"), _kind("postgres", "row"), *APART])
def kept(request: pytest.FixtureRequest) -> Apart:
    """Run a test with whatever keeps tenants apart."""
    name, tenancy = request.param
    return Apart(request.getfixturevalue(f"{name}_url"), tenancy)
