"""What a plan must know of a database beside its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["LARGE", "Counter", "Facts", "TableFacts"]

LARGE: Final = 100_000
"""Rows from which on looking at each of them is felt by others.

PostgreSQL reads about ten million rows a second in a scan, and indexes two.
"""


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """The sequence behind an identity of PostgreSQL.

    Attributes:
        schema: Where it is.
        name: What it is called.
        start: Its first value.
        increment: From one value to the next; negative counts down.
        least: Its least value.
        greatest: Its greatest value.
        cache: Values that a session takes at once.
        is_cycling: Whether it begins anew behind its last value.
        last: The value it gave last; None where it gave none, or does not say.
    """

    schema: str
    name: str
    start: int = 1
    increment: int = 1
    least: int = 1
    greatest: int = 2**63 - 1
    cache: int = 1
    is_cycling: bool = False
    last: int | None = None


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one table.

    Attributes:
        rows: How many there are, about.
        is_empty: Whether there is none, for certain.
        invalid: Indexes that were left behind unfinished (PostgreSQL).
        unvalidated: Constraints that old rows were not held against (PostgreSQL).
        not_nulls: Names of the constraints that are NOT NULL, by column (PostgreSQL,
            from version 18 on).
        counters: What makes the values of identities, by column (PostgreSQL).
        text: The statement that made it (SQLite).
    """

    rows: int = 0
    is_empty: bool = True
    invalid: frozenset[str] = frozenset()
    unvalidated: frozenset[str] = frozenset()
    not_nulls: Mapping[str, str] = {}
    counters: Mapping[str, Counter] = {}
    text: str = ""

    @property
    def is_large(self) -> bool:
        """Whether looking at each row is felt."""
        return self.rows >= LARGE


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a database.

    Attributes:
        version: Of the server, or of the SQLite library.
        tables: By name; what is missing is empty.
    """

    version: tuple[int, ...] = (18,)
    tables: Mapping[str, TableFacts] = {}

    def of(self, table: str) -> TableFacts:
        """Return what is known of a table."""
        return self.tables.get(table, _EMPTY)


_EMPTY: Final = TableFacts()
