"""Rows as they were stored, and as a write leaves them, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

from .._statement import Result
from ..filters import matcher
from ._images import Guards, check
from ._terms import Guard

__all__ = ["RowImages"]

Values = Mapping[str, Any]


@final
class RowImages:
    """The stored rows that a write of one message meets.

    Args:
        guards: What is held against each.
        decode: Makes the values by name of a row.
        key: Fields that tell rows apart.
        check_hidden: Told each row that is met; raises where it is not visible.

    Attributes:
        n_found: Writes that met a stored row.
    """

    def __init__(
        self,
        guards: Guards,
        decode: Callable[[Sequence[Any]], dict[str, Any]],
        key: Sequence[str],
        check_hidden: Callable[[Values], None],
    ) -> None:
        self.n_found = 0
        self._guards = guards
        self._decode = decode
        self._key = tuple(key)
        self._check_hidden = check_hidden
        self._rows: dict[tuple[Any, ...], Values] = {}

    def look(self, result: Result) -> None:
        """Take in the stored rows, all columns of them."""
        rows = map(self._decode, result.rows)
        self._rows = {self._key_of(row): row for row in rows}

    def change(
        self, rows: Iterable[Values], named: frozenset[str], changed: Sequence[str]
    ) -> None:
        """Hold guards against changes of single rows, one after the other.

        Raises:
            Exception: What a guard says.
        """
        for row in rows:
            self._change(row, named, changed)

    def upsert(
        self, rows: Iterable[Values], named: frozenset[str], changed: Sequence[str]
    ) -> None:
        """Hold guards against rows that are stored, or change those that are there.

        Raises:
            Exception: What a guard says.
        """
        for row in rows:
            if not self._change(row, named, changed):
                self._guards.check_row("create", named, None, row)
                self._rows[self._key_of(row)] = {
                    **dict.fromkeys(self._guards.names),
                    **row,
                }

    def _change(
        self, row: Values, named: frozenset[str], changed: Sequence[str]
    ) -> bool:
        key = self._key_of(row)
        old = self._rows.get(key)
        if old is None:
            return False
        self._check_hidden(old)
        new = {**old, **{name: row[name] for name in changed}}
        self._guards.check_row("update", named.intersection(changed), old, new)
        self._rows[key] = new
        self.n_found += 1
        return True

    def check_results(
        self, result: Result, guards: Sequence[Guard], named: frozenset[str]
    ) -> None:
        """Hold guards against rows that the database has computed.

        One that was not seen before, for its key has changed, passes none.

        Raises:
            Exception: What a guard says.
        """
        tests = [(guard, matcher(guard.rows(named))) for guard in guards]
        for row in result.rows:
            new = self._decode(row)
            old = self._rows.get(self._key_of(new))
            known = self._guards.known(old or {}, new)
            for guard, holds in tests:
                if old is None or holds(known):
                    check(guard)

    def _key_of(self, row: Values) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._key)
