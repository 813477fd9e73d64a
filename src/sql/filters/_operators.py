"""What may stand behind a field in a filter, as a table.

Rules of this file: a reader gets the field, the operand as the user wrote it and
its path, and returns a tree or raises `FilterError` with that path. Values go
through the check of the field's type; what one database would read in another
way than the other is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard, cast

from ...errors import FilterError, nearest
from ...models import Field, Kind, MismatchError
from ._filter import (
    NOTHING,
    Compare,
    Comparison,
    Filter,
    Match,
    Matching,
    OneOf,
    conjunction,
    negation,
)
from ._regex import problem

__all__ = [
    "MAX_BOUND_VALUES",
    "MAX_TEXT_PATTERN",
    "MAX_VALUES",
    "OPERATORS",
    "equal",
    "is_mapping",
    "listed",
    "type_name",
    "unknown_operator",
]

MAX_VALUES: Final = 50_000
"""Values `$in` and `$nin` take."""

MAX_BOUND_VALUES: Final = 10_000
"""Values they take of the types in `BOUND`, whose values travel one by one."""

BOUND: Final = frozenset({Kind.BYTES, Kind.FLOAT})
"""Kinds that SQLite does not read exactly out of JSON, the way long lists travel."""

MAX_TEXT_PATTERN: Final = 10_000
"""Characters that `$like` takes.

SQLite's GLOB takes 50 000 bytes, and a character becomes four at most.
Source: sqlite.org/limits.html, SQLITE_MAX_LIKE_PATTERN_LENGTH.
"""

Reader = Callable[[Field, object, str], Filter]

_DOCUMENTS: Final = frozenset({Kind.JSON, Kind.STRUCT, Kind.LIST})


# -- shapes of what users write ---------------------------------------------------


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether *value* holds other values by name."""
    return type(value) is dict or isinstance(value, Mapping)


def listed(value: object, path: str) -> list[object]:
    """Return the values of a list, tuple or set; anything else is refused."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(cast("Sequence[object]", value))
    raise FilterError(path, f"takes a list, not {type_name(value)}")


def type_name(value: object) -> str:
    """Name what came, without the value itself."""
    return "None" if value is None else type(value).__name__


def unknown_operator(name: str, known: Sequence[str]) -> str:
    """Say that there is no operator *name*, and which was probably meant."""
    match = nearest(name, known)
    hint = f"did you mean {match!r}?" if match else f"there are {', '.join(known)}"
    return f"unknown operator {name!r}: {hint}"


# -- values -----------------------------------------------------------------------


def _checked(field: Field, value: object, path: str) -> Any:  # noqa: ANN401  # its type's
    try:
        return field.type.check(value)
    except MismatchError as error:
        raise FilterError(path, str(error)) from None


def _comparable(field: Field, path: str) -> None:
    if field.type.kind in _DOCUMENTS:
        problem = f"{field.type.describe()} can only be asked for with $null or $exists"
        raise FilterError(path, problem)


def _is_null(field: Field) -> Filter:
    return Compare(field, Comparison.EQ, None)


# -- readers ----------------------------------------------------------------------


def equal(field: Field, value: object, path: str) -> Filter:
    """Read a value to compare with; None asks for NULL."""
    if value is None:
        return _is_null(field)
    _comparable(field, path)
    if isinstance(value, list | tuple | set | frozenset):
        raise FilterError(path, "compares with a list: write {'$in': [...]}")
    if is_mapping(value):
        raise FilterError(path, _no_operators(value))
    return Compare(field, Comparison.EQ, _checked(field, value, path))


def _no_operators(value: Mapping[object, object]) -> str:
    """Say what is wrong with a mapping that does not hold operators only."""
    for name in value:
        if isinstance(name, str) and not name.startswith("$"):
            match = nearest(f"${name}", tuple(OPERATORS))
            hint = f": did you mean {match!r}?" if match else ""
            return f"takes a value or operators, and {name!r} is none{hint}"
    return "takes a value or operators such as {'$gt': ...}"


def _not_equal(field: Field, value: object, path: str) -> Filter:
    return negation(equal(field, value, path))


def _ordered(comparison: Comparison) -> Reader:
    def read(field: Field, value: object, path: str) -> Filter:
        if value is None:
            raise FilterError(path, "nothing is above or below None: use $null")
        _comparable(field, path)
        return Compare(field, comparison, _checked(field, value, path))

    return read


def _one_of(field: Field, value: object, path: str) -> Filter:
    _comparable(field, path)
    values = listed(value, path)
    most = MAX_BOUND_VALUES if field.type.stored_kind in BOUND else MAX_VALUES
    if len(values) > most:
        kind = field.type.stored_kind.value
        raise FilterError(path, f"takes at most {most} values of type {kind}")
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
    return negation(_one_of(field, value, path))


def _between(field: Field, value: object, path: str) -> Filter:
    if not isinstance(value, list | tuple):
        raise FilterError(path, f"takes [lowest, highest], not {type_name(value)}")
    bounds = listed(cast("object", value), path)
    if len(bounds) != 2:  # noqa: PLR2004  # a range has two ends
        raise FilterError(path, "takes two values: [lowest, highest]")
    return conjunction(
        OPERATORS[name](field, bound, f"{path}[{index}]")
        for index, (name, bound) in enumerate(
            zip(("$gte", "$lte"), bounds, strict=True)
        )
    )


def _null(field: Field, value: object, path: str) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(path, f"takes True or False, not {type_name(value)}")
    return _is_null(field) if value else negation(_is_null(field))


def _exists(field: Field, value: object, path: str) -> Filter:
    return negation(_null(field, value, path))


def _matching(matching: Matching, wrong: Callable[[str], str | None]) -> Reader:
    def read(field: Field, value: object, path: str) -> Filter:
        if field.type.kind is not Kind.STR:
            raise FilterError(path, f"works on text, not on {field.type.describe()}")
        pattern: str = _checked(field, value, path)
        why = wrong(pattern)
        if why is not None:
            raise FilterError(path, why)
        return Match(field, matching, pattern)

    return read


def _wrong_like(pattern: str) -> str | None:
    """Refuse an escape of nothing: PostgreSQL raises where SQLite matches nothing."""
    if len(pattern) > MAX_TEXT_PATTERN:
        return f"a pattern has at most {MAX_TEXT_PATTERN} characters"
    if pattern.replace("\\\\", "").endswith("\\"):
        return "ends in a backslash that escapes nothing"
    return None


def _any_text(_: str) -> str | None:
    return None


OPERATORS: Final[Mapping[str, Reader]] = {
    "$eq": equal,
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
    "$like": _matching(Matching.LIKE, _wrong_like),
    "$regex": _matching(Matching.REGEX, problem),
    "$contains": _matching(Matching.CONTAINS, _any_text),
    "$startsWith": _matching(Matching.STARTS_WITH, _any_text),
    "$endsWith": _matching(Matching.ENDS_WITH, _any_text),
}
"""What may stand behind a field, by name."""
