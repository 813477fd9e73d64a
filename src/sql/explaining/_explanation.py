"""What is told about a query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import msgspec

__all__ = ["Explanation"]


@final
class Explanation(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How the database goes about a query; ``str()`` of it is for people.

    ``dict()`` of it, or `as_dict`, is for machines: plain values that JSON holds. No
    value of a parameter is in it, not in the plan either.

    Attributes:
        database: ``postgresql`` or ``sqlite``.
        sql: The statement, with placeholders.
        types: Name of the Python type of each parameter, in order.
        steps: The plan, a line per step, indented by what it is a part of.
        indexes: Names of the indexes it uses.
        is_scan: Whether it reads the table from one end to the other.
        is_sorted: Whether rows are sorted since no index has them in their order.
        hints: What would help, a sentence each; none if an index serves.
        raw: The plan as the database told it, literals in conditions replaced.
        rows: How many rows came, one more than the page has where there is a next
            one; None unless it was executed.
        duration_s: How long that took on the database, in seconds; None likewise.
    """

    database: str
    sql: str
    types: tuple[str, ...]
    steps: tuple[str, ...]
    indexes: tuple[str, ...]
    is_scan: bool
    is_sorted: bool
    hints: tuple[str, ...]
    raw: Any
    rows: int | None = None
    duration_s: float | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.sql
        yield f"parameters: {', '.join(self.types) or 'none'}"
        yield from (f"  {step}" for step in self.steps)
        if self.duration_s is not None:
            yield f"executed: {self.rows} rows in {self.duration_s * 1_000:.3f} ms"
        yield from (f"hint: {hint}" for hint in self.hints)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    def keys(self) -> tuple[str, ...]:
        """Return the names of what it holds, so that ``dict()`` takes it."""
        return self.__struct_fields__

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # whatever it holds
        return self.as_dict()[name]
