"""Steps as they are written: what all changes on both databases have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from ..._shape import Column, TableShape
from .._step import Backfill, Step, Work
from ..planning import Facts, TableFacts
from ._text import quote

__all__ = ["Draft"]


class Draft(ABC):
    """Collects steps.

    Args:
        tables: The tables there are, as they are once renamed.
        facts: What is known of them, by the names of before.

    Attributes:
        steps: In order.
        problems: What keeps changes from being made.
    """

    def __init__(self, tables: Mapping[str, TableShape], facts: Facts) -> None:
        self.steps: list[Step] = []
        self.problems: list[str] = []
        self._tables = dict(tables)
        self._facts = facts
        self._old: dict[str, str] = {}
        self._renamed: set[str] = set()

    def _of(self, table: str) -> TableFacts:
        """Return what is known of a table, whatever it was called before."""
        return self._facts.of(self._old.get(table, table))

    @abstractmethod
    def _step(
        self,
        operation: str,
        table: str,
        description: str,
        statements: Iterable[str],
        undo: Iterable[str],
    ) -> Step:
        """Return a step, with what the catalogue says of its operation."""

    def _fill_rows(
        self,
        table: str,
        column: Column,
        literal: str | None = None,
        undo: Iterable[str] = (),
    ) -> None:
        """Give rows that are there a value, some at a time.

        Args:
            table: Whose rows.
            column: For which column.
            literal: The value as SQL; None finds its factory when it runs.
            undo: What goes before the values can be taken back.
        """
        key = self._tables[table].key
        if key is None:
            self.problems.append(
                f"{table} has no primary key: rows cannot get a value for {column.name}"
            )
            return
        fill = Backfill(
            table=quote(table),
            column=quote(column.name),
            key=tuple(map(quote, key.columns)),
            place=(table, column.name),
            literal=literal,
        )
        text = f"give rows of {table} without {column.name} a value"
        step = self._step("backfill", table, text, [], [])
        work = Work(mode="backfill", backfill=fill)
        back = Work(statements=tuple(undo), backfill=fill)
        self.steps.append(replace(step, work=work, undo=back))
