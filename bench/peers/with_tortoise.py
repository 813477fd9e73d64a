"""Tortoise ORM: a model, its ``create``, ``get``, ``bulk_create`` and ``values``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .rows import CALLERS, Person, Target

__all__ = ["make"]

_tortoise: Any = import_module("tortoise")
_fields: Any = import_module("tortoise.fields")
_models: Any = import_module("tortoise.models")


class People(_models.Model):  # type: ignore[misc]  # it is not installed here
    """The table."""

    id = _fields.BigIntField(primary_key=True)
    name = _fields.TextField()
    email = _fields.CharField(max_length=200, unique=True)
    age = _fields.BigIntField()
    price = _fields.FloatField()
    active = _fields.BooleanField()
    created_at = _fields.DatetimeField()
    meta = _fields.JSONField[dict[str, Any]]()

    class Meta:
        """What Tortoise reads."""

        table = "people"


class _Tortoise:
    async def open(self, target: Target) -> None:
        await _tortoise.Tortoise.init(
            config={
                "connections": {"default": _connection(target)},
                "apps": {"models": {"models": [__name__]}},
                "use_tz": True,
            }
        )

    async def create(self, person: Person) -> object:
        return await People.create(**person)

    async def read(self, key: int) -> object:
        return await People.get(id=key)

    shared_create = create
    shared_read = read

    async def bulk_create(self, people: list[Person]) -> object:
        return await People.bulk_create([People(**person) for person in people])

    async def list_first(self, limit: int) -> object:
        return await People.all().order_by("id").limit(limit).values()

    async def close(self) -> None:
        await _tortoise.Tortoise.close_connections()


def _connection(target: Target) -> dict[str, Any]:
    if target.database == "sqlite":
        engine, facts = (
            "tortoise.backends.sqlite",
            {
                "file_path": target.path,
                "journal_mode": "WAL",
                "synchronous": "NORMAL",
            },
        )
        return {"engine": engine, "credentials": facts}
    return {
        "engine": "tortoise.backends.asyncpg",
        "credentials": {
            "host": target.host,
            "port": target.port,
            "user": target.user,
            "password": target.password,
            "database": target.name,
            "minsize": CALLERS,
            "maxsize": CALLERS,
        },
    }


def make() -> _Tortoise:
    """Return the peer."""
    return _Tortoise()
