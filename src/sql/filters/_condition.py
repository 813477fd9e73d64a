"""Filters written with operators: ``(user.age > 18) & ~user.name.contains("x")``.

Rules of this file: a condition *is* the mapping that says the same, so it goes
wherever a filter goes and is checked by the same parser. Python's `and`, `or`, `not`
and ``1 < a < 2`` ask a condition for its truth; it has none and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, final

__all__ = ["Condition"]


@final
class Condition(Mapping[str, Any]):
    """A filter: the mapping that says the same, to be joined by ``&``, ``|``, ``~``."""

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # whatever a filter holds
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __repr__(self) -> str:
        return f"Condition({self._given!r})"

    def __and__(self, other: Mapping[str, Any]) -> Condition:
        return Condition({"$and": [self, other]})

    def __or__(self, other: Mapping[str, Any]) -> Condition:
        return Condition({"$or": [self, other]})

    def __invert__(self) -> Condition:
        return Condition({"$not": self})

    def __bool__(self) -> NoReturn:
        msg = "a condition is neither true nor false: join with &, | and ~, in brackets"
        raise TypeError(msg)
