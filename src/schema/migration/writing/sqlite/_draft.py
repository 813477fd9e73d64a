"""Steps as they are written: what all changes on SQLite have in common."""

from __future__ import annotations

from collections.abc import Iterable

from ...._shape import Column
from ..._step import Proof, Step, Work
from ...planning import Fill
from .._draft import Draft as _Draft
from .._literal import literal
from ._risks import SQLITE_RISKS

__all__ = ["Draft", "filling"]


class Draft(_Draft):
    """Collects steps on SQLite."""

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
