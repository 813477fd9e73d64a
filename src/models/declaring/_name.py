"""Names of tables and columns: how they are made, and which are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ...errors import ModelError
from .._snake_case import snake_case

__all__ = ["MAX_NAME_BYTES", "check_names", "check_table", "table_name"]

MAX_NAME_BYTES: Final = 63
"""Source: PostgreSQL, Lexical Structure: NAMEDATALEN - 1; it cuts longer ones."""

_SYSTEM: Final = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""Source: PostgreSQL, System Columns."""

_ES: Final = re.compile(r"(ss|us|x|z|ch|sh)$")
_IS: Final = re.compile(r"sis$")  # analysis
_Y: Final = re.compile(r"(?<![aeiou])y$")


def table_name(name: str) -> str:
    """Return the plural of *name* in snake case: `OrderItem`, ``order_items``.

    A name that ends in a single s counts as a plural already (`Settings`);
    irregular plurals are not known: say ``__tablename__`` where they matter.
    """
    word = snake_case(name)
    if _ES.search(word):
        return f"{word}es"
    if _IS.search(word):
        return f"{word[:-2]}es"
    if _Y.search(word):
        return f"{word[:-1]}ies"
    return word if word.endswith("s") else f"{word}s"


def check_names(model: str, fields: Iterable[str]) -> None:
    """Check that each name can be a column on both databases.

    Raises:
        ModelError: One cannot, or two are one to SQLite.
    """
    seen: dict[str, str] = {}
    for name in fields:
        if name.startswith("_"):
            problem = "names that begin with _ are not fields: rename it or ClassVar"
            raise ModelError(model, name, problem)
        if name in _SYSTEM:
            problem = "PostgreSQL has a system column of this name: rename it"
            raise ModelError(model, name, problem)
        _check_length(model, name, name)
        other = seen.setdefault(name.lower(), name)
        if other != name:
            problem = f"it differs from {other!r} in case only, which SQLite ignores"
            raise ModelError(model, name, problem)


def check_table(model: str, table: str) -> str:
    """Return *table* if both databases take it as the name of a table.

    Raises:
        ModelError: One of them does not.
    """
    if not table or "." in table or "\0" in table:
        problem = f"{table!r} is no name of a table: give one without schema"
        raise ModelError(model, None, problem)
    if table.lower().startswith("sqlite_"):
        problem = f"SQLite keeps names such as {table!r} to itself: rename it"
        raise ModelError(model, None, problem)
    _check_length(model, None, table)
    return table


def _check_length(model: str, field: str | None, name: str) -> None:
    size = len(name.encode())
    if size > MAX_NAME_BYTES:
        problem = (
            f"its name has {size} bytes, PostgreSQL keeps {MAX_NAME_BYTES}: shorten it"
        )
        raise ModelError(model, field, problem)
