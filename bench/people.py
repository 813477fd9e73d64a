"""The table that every benchmark uses, and new rows for it."""

from __future__ import annotations

import os
from itertools import count
from typing import Any, Final

from dataflow import PARAMETER, DataFlow, Workflow, field

__all__ = [
    "COLUMNS",
    "INSERT_POSTGRESQL",
    "INSERT_SQLITE",
    "READ_POSTGRESQL",
    "READ_SQLITE",
    "RETURNING_ALL",
    "TABLE",
    "declare",
    "new_person",
    "one_node",
]

TABLE: Final = "people"
COLUMNS: Final = ("name", "email", "age", "price", "active")

_INTO: Final = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)})"  # own names
_ALL: Final = f"id, {', '.join(COLUMNS)}"

INSERT_POSTGRESQL: Final = f"{_INTO} VALUES ($1, $2, $3, $4, $5)"
INSERT_SQLITE: Final = f"{_INTO} VALUES (?, ?, ?, ?, ?)"
READ_POSTGRESQL: Final = f"SELECT {_ALL} FROM {TABLE} WHERE id = $1"  # noqa: S608
READ_SQLITE: Final = f"SELECT {_ALL} FROM {TABLE} WHERE id = ?"  # noqa: S608
RETURNING_ALL: Final = f" RETURNING {_ALL}"

_numbers: Final = count()


def new_person() -> dict[str, Any]:
    """Return the values of a row whose email no other row has."""
    number = next(_numbers)
    return {
        "name": f"Person {number}",
        "email": f"person-{os.getpid()}-{number}@example.org",
        "age": number % 90,
        "price": number * 0.25,
        "active": number % 2 == 0,
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

    return Person


def one_node(db: DataFlow, node: str, *names: str) -> Workflow:
    """Return a workflow of one node, ``it``, that each run gives *names*."""
    builder = db.workflow(f"one {node}")
    builder.add_node(node, "it", dict.fromkeys(names, PARAMETER))
    return builder.build()
