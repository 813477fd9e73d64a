"""The table that every benchmark uses, new rows for it, and their ways in and out.

The raw sides write and read by these functions: the same columns in the same form as
ours, and JSON by the same library, so that nobody wins by another parser.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import msgspec

from dataflow import PARAMETER, DataFlow, Workflow, field

__all__ = [
    "ALL",
    "COLUMNS",
    "INSERT_POSTGRESQL",
    "INSERT_SQLITE",
    "READ_POSTGRESQL",
    "READ_SQLITE",
    "RETURNING_ALL",
    "TABLE",
    "Person",
    "Supply",
    "declare",
    "from_postgresql",
    "from_sqlite",
    "new_people",
    "new_person",
    "one_node",
    "to_postgresql",
    "to_sqlite",
]

Person = dict[str, Any]
"""The values of a row by column; without ``id`` before it is stored."""

TABLE: Final = "people"
COLUMNS: Final = ("name", "email", "age", "price", "active", "created_at", "meta")
ALL: Final = ("id", *COLUMNS)

_INTO: Final = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)})"
_ALL: Final = ", ".join(ALL)

INSERT_POSTGRESQL: Final = f"{_INTO} VALUES ($1, $2, $3, $4, $5, $6, $7)"
INSERT_SQLITE: Final = f"{_INTO} VALUES (?, ?, ?, ?, ?, ?, ?)"
READ_POSTGRESQL: Final = f"SELECT {_ALL} FROM {TABLE} WHERE id = $1"  # noqa: S608
READ_SQLITE: Final = f"SELECT {_ALL} FROM {TABLE} WHERE id = ?"  # noqa: S608
RETURNING_ALL: Final = f" RETURNING {_ALL}"

_AGES: Final = 90
_FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)

_numbers: Final = count()
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def new_person() -> Person:
    """Return the values of a row whose email no other row has."""
    number = next(_numbers)
    return {
        "name": f"Person {number}",
        "email": f"person-{os.getpid()}-{number}@example.org",
        "age": number % _AGES,
        "price": number * 0.25,
        "active": number % 2 == 0,
        "created_at": _FIRST + timedelta(seconds=number),
        "meta": {"source": "bench", "number": number, "tags": ["a", "b"]},
    }


def new_people(n_people: int) -> list[Person]:
    """Return the values of new rows."""
    return [new_person() for _ in range(n_people)]


class Supply:
    """New rows that are made before a turn, so that making them is not timed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._people: list[Person] = []

    async def refill(self) -> None:
        """Make what one turn needs."""
        self._people = new_people(self._size)

    def take(self) -> Person:
        """Return a row nobody has taken."""
        return self._people.pop()


def to_postgresql(person: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what asyncpg takes for a row, in the order of `COLUMNS`."""
    return (
        person["name"],
        person["email"],
        person["age"],
        person["price"],
        person["active"],
        person["created_at"],
        _encode(person["meta"]).decode(),
    )


def to_sqlite(person: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what sqlite3 takes for a row, in the order of `COLUMNS`."""
    return (
        person["name"],
        person["email"],
        person["age"],
        person["price"],
        person["active"],
        person["created_at"].isoformat(timespec="microseconds"),
        _encode(person["meta"]).decode(),
    )


def from_postgresql(record: Any) -> Person:  # noqa: ANN401  # asyncpg has no types
    """Return the row that a record of asyncpg is."""
    person = dict(record)
    person["meta"] = _decode(person["meta"])
    return person


def from_sqlite(row: Sequence[Any]) -> Person:
    """Return the row that a tuple of sqlite3 is, its columns in the order of `ALL`."""
    key, name, email, age, price, active, created_at, meta = row
    return {
        "id": key,
        "name": name,
        "email": email,
        "age": age,
        "price": price,
        "active": bool(active),
        "created_at": datetime.fromisoformat(created_at),
        "meta": _decode(meta),
    }


def declare(db: DataFlow) -> type:
    """Declare the table as a model and return the class."""

    @db.model
    class Person:
        __tablename__ = TABLE

        name: str
        email: str = field(unique=True)
        age: int
        price: float
        active: bool
        created_at: datetime
        meta: dict[str, Any]

    return Person


def one_node(db: DataFlow, node: str, *names: str) -> Workflow:
    """Return a workflow of one node, ``it``, that each run gives *names*."""
    builder = db.workflow(f"one {node}")
    builder.add_node(node, "it", dict.fromkeys(names, PARAMETER))
    return builder.build()
