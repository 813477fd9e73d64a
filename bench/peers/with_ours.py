"""Ours, by direct calls; this runs in the environment of the benchmarks."""

from __future__ import annotations

import people as table

from dataflow import DataFlow

from .rows import Person, Target

__all__ = ["make"]


class _Ours:
    async def open(self, target: Target) -> None:
        self._db = DataFlow(target.url)
        table.declare(self._db)
        await self._db.__aenter__()
        await self._db.initialize()
        self._people = self._db["Person"]

    async def create(self, person: Person) -> object:
        return await self._people.create(**person)

    async def read(self, key: int) -> object:
        return await self._people.read(key)

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        return await self._people.bulk_create(people)

    async def list_first(self, limit: int) -> object:
        return (await self._people.list(limit=limit))["records"]

    async def close(self) -> None:
        await self._db.__aexit__(None, None, None)


def make() -> _Ours:
    """Return the peer."""
    return _Ours()
