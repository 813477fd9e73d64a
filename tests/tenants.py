"""Databases for tests of tenants, with a second wall around them or without."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
from postgres import PostgresServer

from dataflow import DataFlow

ROLE = f"dataflow_app_{os.getpid()}"
"""Owns its databases, and is no superuser: policies hold it back."""


@dataclass(frozen=True)
class Place:
    """A new database, and what a DataFlow is told of it.

    Attributes:
        url: As the application connects.
        all_url: As somebody connects whom no policy holds back.
        options: What else to say.
    """

    url: str
    all_url: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_walled(self) -> bool:
        """Whether there is a second wall."""
        return bool(self.options.get("row_security"))


@dataclass(frozen=True)
class Apart:
    """A new database, and what keeps its tenants apart.

    Attributes:
        url: Of the database.
        tenancy: ``row``, ``schema`` or ``database``.
    """

    url: str
    tenancy: Any

    async def clear(self, db: DataFlow) -> None:
        """Delete what would be left behind when the database is dropped."""
        if self.tenancy != "database" or self.url.startswith("sqlite"):
            return
        delete = partial(db.tenants.delete, confirmed=True)
        async with anyio.create_task_group() as tasks:
            for each in await db.tenants.list():
                tasks.start_soon(delete, each.name)

    async def run(self, db: DataFlow, tenant: str, query: str) -> None:
        """Run SQL on the tables of a tenant, past every node."""
        whose: dict[str, Any] = {"tenant": tenant}
        with ExitStack() as stack:
            if self.tenancy == "schema":
                stack.enter_context(db.cross_tenant(reason="a test", may_write=True))
                query, whose = query.format(at=f"tenant_{tenant}."), {}
            workflow = db.workflow()
            given = {"query": query.format(at="")}
            workflow.add_node("AsyncSQLDatabaseNode", "it", given)
            await db.run(workflow.build(), **whose)


def owned_by(server: PostgresServer, url: str, role: str = ROLE) -> Place:
    """Give a database to a role, and return it as that one sees it, with walls."""
    name = urlsplit(url).path.lstrip("/")
    server.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    return Place(as_role(url, role), url, {"row_security": True})


def as_role(url: str, role: str) -> str:
    """Return *url* for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
