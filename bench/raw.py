"""The raw side of a contest: a client alone, used as well as it can be."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from people import Person

from dataflow import DataFlow

__all__ = ["YOUNG", "Opened", "Raw"]

YOUNG = 45
"""Who is younger is meant by the operations with a filter: half of the people."""


class Raw(Protocol):
    """What each database's client does, without DataFlow.

    It writes what ours writes, to the same table. The one-row operations hold their
    connection; the ``shared`` ones are for many tasks at once.
    """

    @property
    def place(self) -> str:
        """The database and the event loop, for the report."""
        ...

    @property
    def against(self) -> Mapping[str, str]:
        """How each operation is done, for the report, by name of the method."""
        ...

    async def servers(self) -> Sequence[int]:
        """Return the processes that serve whoever is connected now."""
        ...

    def create(self, person: Person) -> Awaitable[object]:
        """Store one row."""
        ...

    def read(self, key: int) -> Awaitable[object]:
        """Fetch one row."""
        ...

    def update(self, key: int, age: int) -> Awaitable[object]:
        """Change one column of a row."""
        ...

    def delete(self, key: int) -> Awaitable[object]:
        """Delete one row."""
        ...

    def shared_create(self, person: Person) -> Awaitable[object]:
        """Store one row while others do."""
        ...

    def shared_read(self, key: int) -> Awaitable[object]:
        """Fetch one row while others do."""
        ...

    def list_first(self, limit: int) -> Awaitable[Sequence[Person]]:
        """Fetch the first rows by key, as dictionaries with every value parsed."""
        ...

    def list_behind(self, key: int, limit: int) -> Awaitable[Sequence[Person]]:
        """Fetch the first rows behind a key, in the same form."""
        ...

    async def bulk_create(self, people: Sequence[Person]) -> None:
        """Store rows."""
        ...

    async def bulk_create_ids(self, people: Sequence[Person]) -> Sequence[int]:
        """Store rows and return their keys."""
        ...

    async def bulk_update(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Set ``name``, ``age`` and ``price`` of the rows by ``id``."""
        ...

    async def bulk_update_filter(self) -> None:
        """Set ``active`` to False for everybody younger than `YOUNG`."""
        ...

    async def bulk_upsert(self, people: Sequence[Person]) -> None:
        """Store rows, or change those with the same email."""
        ...

    async def bulk_delete(self, keys: Sequence[int]) -> None:
        """Delete rows by key."""
        ...

    async def bulk_delete_filter(self) -> None:
        """Delete everybody younger than `YOUNG`."""
        ...

    async def fill(self, people: Sequence[Person]) -> list[int]:
        """Make these the only rows, numbered from 1, and return their keys."""
        ...


Opened = AbstractAsyncContextManager[tuple[Raw, DataFlow]]
"""Gives both sides of a contest, on one table made anew by ours."""
