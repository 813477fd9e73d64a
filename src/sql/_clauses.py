"""Parts of statements about one table that do not depend on values.

Rules of this file: text is made of the model's own names, quoted, and of
placeholders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

from ..models import Model
from ._dialect import Dialect

__all__ = ["Clauses"]


@final
class Clauses:
    """Parts of statements about the table of one model.

    Args:
        model: What the rows are.
        dialect: In which SQL.

    Attributes:
        table: The quoted name of the table.
        columns: Every column, as a list.
        key: The columns of the key, as a list.
        identity: The columns that tell rows apart in the table, as a list.
    """

    def __init__(self, model: Model, dialect: Dialect) -> None:
        self._dialect = dialect
        self.table = dialect.quote(model.table)
        self.columns = self.listed(model.names)
        self.key = self.listed(model.key)
        self.identity = self.listed(model.identity)

    def listed(self, names: Iterable[str]) -> str:
        """Return ``"a", "b"``."""
        return ", ".join(map(self._dialect.quote, names))

    def insert(self, names: Sequence[str]) -> str:
        """Return the INSERT of one row that has *names*; the rest are defaults."""
        if not names:
            return f"INSERT INTO {self.table} DEFAULT VALUES"
        places = ", ".join(self._dialect.place(n + 1) for n in range(len(names)))
        return f"INSERT INTO {self.table} ({self.listed(names)}) VALUES ({places})"

    def same(self, names: Iterable[str], *, first: int = 1) -> str:
        """Return ``"a" = $1 AND "b" = $2``, the placeholders counted from *first*."""
        return " AND ".join(self._equations(names, first))

    def sets(self, names: Iterable[str], *, first: int = 1) -> str:
        """Return ``"a" = $1, "b" = $2``, the placeholders counted from *first*."""
        return ", ".join(self._equations(names, first))

    def on_conflict(self, conflict: Sequence[str], action: str) -> str:
        """Return what happens to a row that agrees with a stored one in *conflict*."""
        return f"ON CONFLICT ({self.listed(conflict)}) DO {action}"

    def excluded(self, names: Iterable[str]) -> str:
        """Return ``"a" = EXCLUDED."a"``: the values that the insert brought."""
        quoted = map(self._dialect.quote, names)
        return ", ".join(f"{each} = EXCLUDED.{each}" for each in quoted)

    def _equations(self, names: Iterable[str], first: int) -> list[str]:
        quote, place = self._dialect.quote, self._dialect.place
        return [f"{quote(name)} = {place(n)}" for n, name in enumerate(names, first)]
