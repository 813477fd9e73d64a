"""Parts of statements about one table that do not depend on values.

Rules of this file: text is made of the model's own names, quoted, and of
placeholders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

from ...models import Model
from .._dialect import Dialect
from .._qualified import qualified

__all__ = ["Clauses"]


@final
class Clauses:
    """Parts of statements about the table of one model.

    Args:
        model: What the rows are.
        dialect: In which SQL.

    Attributes:
        table: The quoted name of the table, behind its schema if it has one.
        columns: Every column, as a list.
        key: The columns of the key, as a list.
        identity: The columns that tell rows apart in the table, as a list.
    """

    def __init__(self, model: Model, dialect: Dialect) -> None:
        self._dialect = dialect
        self.table = qualified(model, dialect)
        self.columns = self.listed(model.names)
        self.key = self.listed(model.key)
        self.identity = self.listed(model.identity)
        self._identity = frozenset(model.identity)
        self._deleted = model.deleted_field and dialect.quote(model.deleted_field)
        self._version = model.version_field and dialect.quote(model.version_field)

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
        """Return what happens to a row that agrees with a stored one in *conflict*.

        What is unique is so among the rows that are not deleted, but for the key.
        """
        where = "" if self._is_identity(conflict) else self.alive(" WHERE ")
        return f"ON CONFLICT ({self.listed(conflict)}){where} DO {action}"

    def _is_identity(self, conflict: Iterable[str]) -> bool:
        return self._identity.issuperset(conflict)

    # -- deleted rows and versions ----------------------------------------------

    def alive(self, word: str = " AND ", table: str = "") -> str:
        """Return the condition that a row is not deleted, behind *word*.

        Nothing where deleted rows are not kept.
        """
        if self._deleted is None:
            return ""
        return f"{word}{f'{table}.' if table else ''}{self._deleted} IS NULL"

    def alive_in(self, names: Iterable[str]) -> str:
        """Return the same for rows found by *names*: by the key also deleted ones."""
        return "" if self._is_identity(names) else self.alive()

    def counted(self, sets: str, table: str | None = None) -> str:
        """Return *sets*, what changes in a row, with its version counted."""
        if self._version is None:
            return sets
        name = f"{table or self.table}.{self._version}"
        return f"{sets}, {self._version} = {name} + 1"

    def deletion(self, place: str, table: str | None = None) -> str | None:
        """Return what changes in a row that is deleted; None if it goes.

        Args:
            place: The placeholder of the time.
            table: What the table is called; its own name by default.
        """
        if self._deleted is None:
            return None
        return self.counted(f"{self._deleted} = {place}", table)

    def upsertion(self, sets: str, conflict: Sequence[str]) -> str:
        """Return what an upsert does to a row that is there, given what changes.

        Without changes the row is still locked and returned: set the key to itself.
        A deleted row that is met by its key is there again.
        """
        text = self.counted(sets) if sets else self.excluded(conflict[:1])
        return f"UPDATE SET {text}{self.revival(conflict)}"

    def revival(self, conflict: Sequence[str]) -> str:
        """Return what lets a deleted row be there again that *conflict* meets."""
        if self._deleted is None or not self._is_identity(conflict):
            return ""
        return f", {self._deleted} = NULL"

    def excluded(self, names: Iterable[str]) -> str:
        """Return ``"a" = EXCLUDED."a"``: the values that the insert brought."""
        quoted = map(self._dialect.quote, names)
        return ", ".join(f"{each} = EXCLUDED.{each}" for each in quoted)

    def _equations(self, names: Iterable[str], first: int) -> list[str]:
        quote, place = self._dialect.quote, self._dialect.place
        return [f"{quote(name)} = {place(n)}" for n, name in enumerate(names, first)]
