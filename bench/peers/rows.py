"""New rows, and where to put them, for processes that have only the standard library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, Protocol

__all__ = [
    "CALLERS",
    "COLUMNS",
    "CannotError",
    "Peer",
    "Person",
    "Target",
    "new_people",
]

Person = dict[str, Any]

COLUMNS: Final = ("name", "email", "age", "price", "active", "created_at", "meta")
CALLERS: Final = 20
"""Tasks at once, and connections that a pool may have."""

_AGES: Final = 90
_FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)
_numbers: Final = count()


class CannotError(Exception):
    """A peer has no way to do the operation; says why."""


@dataclass(frozen=True)
class Target:
    """A database with the table ``people`` in it, empty.

    Attributes:
        database: ``postgresql`` or ``sqlite``.
        url: Of the database, without a driver's name.
        path: Of the file, on SQLite.
        host: Of the server, on PostgreSQL, like the next three.
        port: Where it listens.
        user: Who to be.
        name: Of the database on the server.
        password: Of the user.
    """

    database: str
    url: str
    path: str = ""
    host: str = ""
    port: int = 5432
    user: str = ""
    name: str = ""
    password: str = ""


class Peer(Protocol):
    """A library at work. Rows come back as dictionaries, or objects of its own."""

    async def open(self, target: Target) -> None:
        """Connect, with a pool of `CALLERS` connections where there are pools."""
        ...

    async def create(self, person: Person) -> object:
        """Store one row, committed."""
        ...

    async def read(self, key: int) -> object:
        """Fetch one row by its key."""
        ...

    async def shared_create(self, person: Person) -> object:
        """Store one row while others do."""
        ...

    async def shared_read(self, key: int) -> object:
        """Fetch one row while others do."""
        ...

    async def bulk_create(self, people: list[Person]) -> object:
        """Store many rows."""
        ...

    async def list_first(self, limit: int) -> object:
        """Fetch the first rows by key."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


def new_people(n_people: int) -> list[Person]:
    """Return the values of rows whose emails no other rows have."""
    return [_new_person(next(_numbers)) for _ in range(n_people)]


def _new_person(number: int) -> Person:
    return {
        "name": f"Person {number}",
        "email": f"person-{os.getpid()}-{number}@example.org",
        "age": number % _AGES,
        "price": number * 0.25,
        "active": number % 2 == 0,
        "created_at": _FIRST + timedelta(seconds=number),
        "meta": {"source": "bench", "number": number, "tags": ["a", "b"]},
    }
