"""Databases for tests of tenants, with a second wall around them or without."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from postgres import PostgresServer

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
        return bool(self.options)


def owned_by(server: PostgresServer, url: str, role: str = ROLE) -> Place:
    """Give a database to a role, and return it as that one sees it, with walls."""
    name = urlsplit(url).path.lstrip("/")
    server.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    return Place(as_role(url, role), url, {"row_security": True})


def as_role(url: str, role: str) -> str:
    """Return *url* for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
