"""Dropping for good what is in quarantine."""

from __future__ import annotations

from collections.abc import Iterable

from .._step import Step, Work
from ..planning import is_quarantined
from ._catalogue import CATALOGUES
from ._text import quote

__all__ = ["purge_steps"]


def purge_steps(names: Iterable[str], dialect: str) -> list[Step]:
    """Return the steps that drop tables, and columns as ``table.column``.

    Tables may refer to each other: PostgreSQL drops them all at once. SQLite does not
    look at foreign keys meanwhile.
    """
    names = tuple(names)
    tables = [name for name in names if is_quarantined(name)]
    steps: list[Step] = []
    if dialect == "postgresql" and tables:
        listed = ", ".join(map(quote, tables))
        steps.append(
            _step("purge_table", ", ".join(tables), f"DROP TABLE {listed}", dialect)
        )
    else:
        steps += [
            _step("purge_table", each, f"DROP TABLE {quote(each)}", dialect)
            for each in tables
        ]
    for name in names:
        if name not in tables:
            table, _, column = name.rpartition(".")
            text = f"ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}"
            steps.append(_step("purge_column", name, text, dialect))
    return steps


def _step(operation: str, name: str, text: str, dialect: str) -> Step:
    row = CATALOGUES[dialect][operation]
    return Step(
        operation=operation,
        table=name.partition(".")[0],
        description=f"purge {name}",
        work=Work(statements=(text,)),
        is_lossy=True,
        risk=row.risk,
        reason=row.reason,
        lock=row.lock,
        is_rewrite=row.is_rewrite,
        alternative=row.alternative,
    )
