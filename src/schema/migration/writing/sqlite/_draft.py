"""Steps as they are written: what all changes on SQLite have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...._shape import Column, TableShape
from ..._step import Proof, Step, Work
from ...planning import Facts, Fill, TableFacts
from .._catalogue import SQLITE_RISKS
from .._literal import literal

__all__ = ["Draft", "filling"]


class Draft:
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

    def _add(
        self,
        operation: str,
        table: str,
        description: str,
        statements: Iterable[str | Proof],
        undo: Iterable[str],
        *,
        is_lossy: bool = False,
    ) -> None:
        self.steps.append(
            self._step(
                operation, table, description, statements, undo, is_lossy=is_lossy
            )
        )

    def _step(
        self,
        operation: str,
        table: str,
        description: str,
        statements: Iterable[str | Proof],
        undo: Iterable[str],
        *,
        is_lossy: bool = False,
    ) -> Step:
        row, facts = SQLITE_RISKS[operation], self._of(table)
        return Step(
            operation=operation,
            table=table,
            description=description,
            work=Work(statements=tuple(statements)),
            undo=Work(statements=tuple(undo)),
            is_lossy=is_lossy,
            risk=row.risk_for(facts),
            reason=row.reason,
            lock=row.lock,
            is_rewrite=row.is_rewrite,
            estimate_s=facts.rows * row.per_row_s,
            alternative=row.alternative,
        )


def filling(fill: Fill, column: Column) -> str:
    """Return the one value of all rows as SQL."""
    return literal(fill.value, fill.type, column.type, "sqlite")
