"""What a user writes as a filter becomes a tree, checked against the model.

Rules of this file: every name is looked up in the model, every value is checked
by its field's type, and whatever is not understood raises `FilterError` with
the path inside the filter. Nothing is guessed and nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..errors import FilterError, UnknownFieldError, nearest
from ..models import Field, Kind, MismatchError, Model
from ._filter import (
    ALL,
    NOTHING,
    And,
    Compare,
    Comparison,
    Filter,
    Match,
    Matching,
    Not,
    OneOf,
    Or,
)
from ._regex import problem

__all__ = ["MAX_DEPTH", "MAX_NODES", "MAX_VALUES", "OPERATORS", "parse"]

MAX_DEPTH: Final = 32
"""Levels of nesting a filter may have; Python's own stack is the limit behind it."""

MAX_NODES: Final = 1_000
"""Conditions a filter may have."""

MAX_VALUES: Final = 50_000
"""Values `$in` and `$nin` take."""

_DOCUMENTS: Final = frozenset({Kind.JSON, Kind.STRUCT, Kind.LIST})


def parse(given: Mapping[str, Any] | None, model: Model) -> Filter:
    """Return the tree of a filter.

    Args:
        given: ``{"age": {"$gt": 18}, "$or": [...]}``; None or empty means every row.
        model: Whose fields the filter names.

    Raises:
        FilterError: Unknown field or operator, wrong value, or too large.
    """
    return _Parser(model).all_of(given if given is not None else {}, "", 1)


class _Parser:
    """One walk over one filter."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._count = 0

    def all_of(self, given: object, path: str, depth: int) -> Filter:
        """Read ``{name: condition, ...}``; all of it must hold."""
        if not isinstance(given, Mapping):
            raise FilterError(path, f"expected a mapping, not {_came(given)}")
        if depth > MAX_DEPTH:
            raise FilterError(path, f"a filter nests at most {MAX_DEPTH} deep")
        parts = [
            self._entry(name, value, f"{path}.{name}" if path else str(name), depth)
            for name, value in given.items()
        ]
        return _joined(parts)

    def _entry(self, name: object, value: object, path: str, depth: int) -> Filter:
        self._count += 1
        if self._count > MAX_NODES:
            raise FilterError(path, f"a filter has at most {MAX_NODES} conditions")
        if not isinstance(name, str):
            raise FilterError(path, f"expected the name of a field, not {_came(name)}")
        if name.startswith("$"):
            return self._logical(name, value, path, depth)
        try:
            field = self._model.field(name)
        except UnknownFieldError as error:
            raise FilterError(path, str(error)) from error
        return self._conditions(field, value, path, depth)

    def _logical(self, name: str, value: object, path: str, depth: int) -> Filter:
        if name == "$not":
            return Not(self.all_of(value, path, depth + 1))
        if name not in _LOGICAL:
            raise FilterError(path, _unknown(name, (*_LOGICAL, "$not")))
        parts = tuple(
            self.all_of(part, f"{path}[{index}]", depth + 1)
            for index, part in enumerate(_sequence(value, path))
        )
        return _LOGICAL[name](parts)

    def _conditions(self, field: Field, value: object, path: str, depth: int) -> Filter:
        """Read what stands behind a field: a value, or ``{operator: value, ...}``."""
        if not _is_operators(value):
            return _equal(field, value, path)
        if depth >= MAX_DEPTH:
            raise FilterError(path, f"a filter nests at most {MAX_DEPTH} deep")
        return _joined(
            [
                self._operator(field, name, operand, f"{path}.{name}", depth)
                for name, operand in value.items()
            ]
        )

    def _operator(
        self, field: Field, name: str, operand: object, path: str, depth: int
    ) -> Filter:
        self._count += 1
        if self._count > MAX_NODES:
            raise FilterError(path, f"a filter has at most {MAX_NODES} conditions")
        if name == "$not":
            return Not(self._conditions(field, operand, path, depth + 1))
        read = OPERATORS.get(name)
        if read is None:
            raise FilterError(path, _unknown(name, (*OPERATORS, "$not")))
        return read(field, operand, path)


def _joined(parts: list[Filter]) -> Filter:
    if not parts:
        return ALL
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _is_operators(value: object) -> bool:
    """Whether *value* is ``{"$gt": ...}`` rather than a value to compare with."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and name.startswith("$") for name in value)
    )


def _checked(field: Field, value: object, path: str) -> Any:
    """Return *value* as the field's type sees it; None is not a value here."""
    try:
        return field.type.check(value)
    except MismatchError as error:
        raise FilterError(path, str(error)) from None


def _comparable(field: Field, path: str) -> None:
    if field.type.kind in _DOCUMENTS:
        problem = f"{field.type.describe()} can only be asked for with $null or $exists"
        raise FilterError(path, problem)


def _equal(field: Field, value: object, path: str) -> Filter:
    if value is None:
        return Compare(field, Comparison.EQ, None)
    if isinstance(value, list | tuple | set | frozenset):
        raise FilterError(path, "compares with a list: write {'$in': [...]}")
    _comparable(field, path)
    return Compare(field, Comparison.EQ, _checked(field, value, path))


def _not_equal(field: Field, value: object, path: str) -> Filter:
    return Not(_equal(field, value, path))


def _ordered(comparison: Comparison) -> _Reader:
    def read(field: Field, value: object, path: str) -> Filter:
        if value is None:
            raise FilterError(path, "nothing is above or below None: use $null")
        _comparable(field, path)
        return Compare(field, comparison, _checked(field, value, path))

    return read


def _one_of(field: Field, value: object, path: str) -> Filter:
    _comparable(field, path)
    values = _sequence(value, path)
    if len(values) > MAX_VALUES:
        raise FilterError(path, f"takes at most {MAX_VALUES} values")
    if not values:
        return NOTHING
    return OneOf(
        field,
        tuple(
            None if each is None else _checked(field, each, f"{path}[{index}]")
            for index, each in enumerate(values)
        ),
    )


def _none_of(field: Field, value: object, path: str) -> Filter:
    return Not(_one_of(field, value, path))


def _between(field: Field, value: object, path: str) -> Filter:
    bounds = _sequence(value, path)
    if len(bounds) != 2:  # noqa: PLR2004  # a range has two ends
        raise FilterError(path, "takes two values: [lowest, highest]")
    low = OPERATORS["$gte"](field, bounds[0], f"{path}[0]")
    high = OPERATORS["$lte"](field, bounds[1], f"{path}[1]")
    return And((low, high))


def _null(field: Field, value: object, path: str) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(path, f"takes True or False, not {_came(value)}")
    is_null = Compare(field, Comparison.EQ, None)
    return is_null if value else Not(is_null)


def _exists(field: Field, value: object, path: str) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(path, f"takes True or False, not {_came(value)}")
    return _null(field, not value, path)


def _matching(matching: Matching) -> _Reader:
    def read(field: Field, value: object, path: str) -> Filter:
        if field.type.kind is not Kind.STR:
            raise FilterError(path, f"works on text, not on {field.type.describe()}")
        pattern: str = _checked(field, value, path)
        if matching is Matching.REGEX and (wrong := problem(pattern)) is not None:
            raise FilterError(path, wrong)
        if matching is Matching.LIKE:
            _check_like(pattern, path)
        return Match(field, matching, pattern)

    return read


def _check_like(pattern: str, path: str) -> None:
    """Refuse an escape of nothing: PostgreSQL raises where SQLite matches nothing."""
    escapes = pattern.replace("\\\\", "")
    if escapes.endswith("\\"):
        raise FilterError(path, "ends in a backslash that escapes nothing")


_Reader = Callable[[Field, object, str], Filter]

_LOGICAL: Final[Mapping[str, Callable[[tuple[Filter, ...]], Filter]]] = {
    "$and": And,
    "$or": Or,
    "$nor": lambda parts: Not(Or(parts)),
}

OPERATORS: Final[Mapping[str, _Reader]] = {
    "$eq": _equal,
    "$ne": _not_equal,
    "$gt": _ordered(Comparison.GT),
    "$gte": _ordered(Comparison.GTE),
    "$lt": _ordered(Comparison.LT),
    "$lte": _ordered(Comparison.LTE),
    "$in": _one_of,
    "$nin": _none_of,
    "$between": _between,
    "$null": _null,
    "$exists": _exists,
    "$like": _matching(Matching.LIKE),
    "$regex": _matching(Matching.REGEX),
    "$contains": _matching(Matching.CONTAINS),
    "$startsWith": _matching(Matching.STARTS_WITH),
    "$endsWith": _matching(Matching.ENDS_WITH),
}
"""What may stand behind a field, by name."""


def _sequence(value: object, path: str) -> Sequence[Any]:
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    raise FilterError(path, f"takes a list, not {_came(value)}")


def _came(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _unknown(name: str, known: Sequence[str]) -> str:
    match = nearest(name, known)
    hint = f"did you mean {match!r}?" if match else f"there are {', '.join(known)}"
    return f"unknown operator {name!r}: {hint}"
