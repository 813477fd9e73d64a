"""What a user writes as a filter becomes a tree, checked against the model.

Rules of this file: every name is looked up in the model, every operand is read
by its operator, and whatever is not understood raises `FilterError` with the
path inside the filter. Nothing is guessed and nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeGuard

from ...errors import FilterError, UnknownFieldError
from ...models import Field, Model
from ._filter import Filter, conjunction, disjunction, negation
from ._operators import (
    OPERATORS,
    equal,
    is_mapping,
    listed,
    type_name,
    unknown_operator,
)

__all__ = ["MAX_DEPTH", "MAX_NODES", "parse"]

MAX_DEPTH: Final = 32
"""Levels of nesting a filter may have.

SQLite's parser holds 100 open brackets and operators; `Compiler` needs about two
a level. Source: SQLite, parse.y, YYSTACKDEPTH.
"""

MAX_NODES: Final = 1_000
"""Conditions a filter may have, and members of one `$and`, `$or` or `$nor`."""


def parse(given: object, model: Model) -> Filter:
    """Return the tree of a filter.

    Args:
        given: ``{"age": {"$gt": 18}, "$or": [...]}``; None or empty means every row.
        model: Whose fields the filter names.

    Returns:
        The tree; `ALL` itself when every row is meant.

    Raises:
        FilterError: Unknown field or operator, wrong value, or too large.
    """
    return _Parser(model).all_of({} if given is None else given, "", 1)


class _Parser:
    """One walk over one filter."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._count = 0

    def all_of(self, given: object, path: str, depth: int) -> Filter:
        """Read ``{name: condition, ...}``; all of it must hold."""
        if not is_mapping(given):
            raise FilterError(path, f"expected a mapping, not {type_name(given)}")
        _check_depth(depth, path)
        return conjunction(
            [
                self._entry(name, value, f"{path}.{name}" if path else str(name), depth)
                for name, value in given.items()
            ]
        )

    def _entry(self, name: object, value: object, path: str, depth: int) -> Filter:
        self._tally(path)
        if not isinstance(name, str):
            raise FilterError(path, f"expected a field's name, not {type_name(name)}")
        if name.startswith("$"):
            return self._logical(name, value, path, depth)
        try:
            field = self._model.field(name)
        except UnknownFieldError as error:
            raise FilterError(path, str(error)) from error
        return self._conditions(field, value, path, depth)

    def _logical(self, name: str, value: object, path: str, depth: int) -> Filter:
        if name == "$not":
            return negation(self.all_of(value, path, depth + 1))
        joined = _LOGICAL.get(name)
        if joined is None:
            raise FilterError(path, unknown_operator(name, (*_LOGICAL, "$not")))
        parts = listed(value, path)
        if len(parts) > MAX_NODES:
            raise FilterError(path, f"takes at most {MAX_NODES} filters")
        return joined(
            [
                self.all_of(part, f"{path}[{index}]", depth + 1)
                for index, part in enumerate(parts)
            ]
        )

    def _conditions(self, field: Field, value: object, path: str, depth: int) -> Filter:
        """Read what stands behind a field: a value, or ``{operator: value, ...}``."""
        if not _holds_operators(value):
            return equal(field, value, path)
        _check_depth(depth, path)
        return conjunction(
            [
                self._operator(field, name, operand, f"{path}.{name}", depth)
                for name, operand in value.items()
            ]
        )

    def _operator(
        self, field: Field, name: str, operand: object, path: str, depth: int
    ) -> Filter:
        self._tally(path)
        if name == "$not":
            return negation(self._conditions(field, operand, path, depth + 1))
        read = OPERATORS.get(name)
        if read is None:
            raise FilterError(path, unknown_operator(name, (*OPERATORS, "$not")))
        return read(field, operand, path)

    def _tally(self, path: str) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise FilterError(path, f"a filter has at most {MAX_NODES} conditions")


def _check_depth(depth: int, path: str) -> None:
    if depth > MAX_DEPTH:
        raise FilterError(path, f"a filter nests at most {MAX_DEPTH} deep")


def _holds_operators(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether *value* is ``{"$gt": ...}`` rather than a value to compare with."""
    return (
        is_mapping(value)
        and bool(value)
        and all(isinstance(name, str) and name.startswith("$") for name in value)
    )


def _none_of(parts: Iterable[Filter]) -> Filter:
    return negation(disjunction(parts))


_LOGICAL: Final[Mapping[str, Callable[[list[Filter]], Filter]]] = {
    "$and": conjunction,
    "$or": disjunction,
    "$nor": _none_of,
}
