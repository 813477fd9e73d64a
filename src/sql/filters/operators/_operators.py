"""What may stand behind a field in a filter, as a table.

Rules of this file: a reader gets the field, the operand as the user wrote it and
its path, and returns a tree or raises `FilterError` with that path. Values go
through the check of the field's type; what one database would read in another
way than the other is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from ....errors import FilterError, nearest
from ....models import Field, Kind
from ..._column import is_scaled
from .._filter import (
    NOTHING,
    Compare,
    CompareFields,
    Comparison,
    Filter,
    Modulo,
    OneOf,
    Subject,
    negation,
)
from ._collated import COLLATED
from ._operand import Reader, checked, is_mapping, listed, type_name
from ._text import TEXT_OPERATORS

__all__ = [
    "FIELD_OPERATORS",
    "MAX_BOUND_VALUES",
    "MAX_VALUES",
    "compare_fields",
    "equal",
    "is_null",
]

MAX_VALUES: Final = 50_000
"""Values `$in` and `$nin` take."""

MAX_BOUND_VALUES: Final = 10_000
"""Values they take of the types in `BOUND`, whose values travel one by one."""

BOUND: Final = frozenset({Kind.BYTES, Kind.FLOAT})
"""Kinds that SQLite does not read exactly out of JSON, the way long lists travel."""

_PARSED: Final = (
    "$between",
    "$not",
    "$size",
    "$elemMatch",
    "$all",
    "$overlap",
    "$hasKey",
)
"""Operators that are read elsewhere and may have been meant."""

_DOCUMENTS: Final = frozenset({Kind.JSON, Kind.STRUCT, Kind.LIST})


def _comparable(field: Subject, path: str) -> None:
    if field.type.kind in _DOCUMENTS:
        is_list = field.type.kind is Kind.LIST
        instead = (
            "ask with $all, $overlap, $containedBy, $size or $elemMatch"
            if is_list
            else f"name a path inside, such as '{field.name}.key'"
        )
        problem = f"{field.type.describe()} is not compared as a whole: {instead}"
        raise FilterError(path, problem)


def is_null(field: Subject) -> Filter:
    """Return the filter for NULL."""
    return Compare(field, Comparison.EQ, None)


# -- readers ----------------------------------------------------------------------


def equal(field: Subject, value: object, path: str) -> Filter:
    """Read a value to compare with; None asks for NULL."""
    if value is None:
        return is_null(field)
    _comparable(field, path)
    if isinstance(value, list | tuple | set | frozenset):
        raise FilterError(path, "compares with a list: write {'$in': [...]}")
    if is_mapping(value):
        raise FilterError(path, _no_operators(value))
    return Compare(field, Comparison.EQ, checked(field, value, path))


def _no_operators(value: Mapping[object, object]) -> str:
    """Say what is wrong with a mapping that does not hold operators only."""
    for name in value:
        if isinstance(name, str) and not name.startswith("$"):
            match = nearest(f"${name}", (*FIELD_OPERATORS, *_PARSED))
            if match is None:
                break  # a key of some value: not to be told
            return (
                f"takes a value or operators, and {name!r} is none: "
                f"did you mean {match!r}?"
            )
    return "takes a value or operators such as {'$gt': ...}"


def _not_equal(field: Subject, value: object, path: str) -> Filter:
    return negation(equal(field, value, path))


def _ordered(comparison: Comparison) -> Reader:
    def read(field: Subject, value: object, path: str) -> Filter:
        if value is None:
            raise FilterError(path, "nothing is above or below None: use $null")
        _comparable(field, path)
        return Compare(field, comparison, checked(field, value, path))

    return read


def _one_of(field: Subject, value: object, path: str) -> Filter:
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
            None if each is None else checked(field, each, f"{path}[{index}]")
            for index, each in enumerate(values)
        ),
    )


def _none_of(field: Subject, value: object, path: str) -> Filter:
    return negation(_one_of(field, value, path))


def _null(field: Subject, value: object, path: str) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(path, f"takes True or False, not {type_name(value)}")
    return is_null(field) if value else negation(is_null(field))


def _exists(field: Subject, value: object, path: str) -> Filter:
    return negation(_null(field, value, path))


def _modulo(field: Subject, value: object, path: str) -> Filter:
    if field.type.kind is not Kind.INT:
        raise FilterError(path, f"works on int, not on {field.type.describe()}")
    is_pair = isinstance(value, list | tuple)
    numbers = cast("Sequence[object]", value) if is_pair else ()
    if len(numbers) != 2:  # noqa: PLR2004  # what divides, what is left
        raise FilterError(path, "takes two ints: [divisor, remainder]")
    divisor, remainder = (
        checked(field, number, f"{path}[{index}]")
        for index, number in enumerate(numbers)
    )
    if divisor == 0:
        raise FilterError(f"{path}[0]", "nothing is divided by zero")
    return Modulo(field, divisor, remainder)


# -- fields -----------------------------------------------------------------------


def compare_fields(field: Field, name: str, other: Field, path: str) -> Filter:
    """Read one field against another; NULL in either makes it false.

    Args:
        field: The left one.
        name: The operator, such as `$gt`.
        other: The right one.
        path: Where in the filter.
    """
    if name == "$ne":
        return negation(compare_fields(field, "$eq", other, path))
    comparison = _COMPARISONS.get(name)
    if comparison is None:
        raise FilterError(path, f"{name} takes no field: {', '.join(_COMPARISONS)} do")
    if field.type.is_compound or _storage(field) != _storage(other):
        problem = (
            f"{field.name!r} and {other.name!r} are not stored alike: "
            f"{field.type.describe()}, {other.type.describe()}"
        )
        raise FilterError(path, problem)
    return CompareFields(field, comparison, other)


def _storage(field: Field) -> tuple[Kind, int | None, str | None]:
    """Say as what the databases compare a field."""
    type_ = field.type
    scale = type_.scale if is_scaled(type_) else None
    # Enums and addresses of PostgreSQL compare with their own kind only.
    is_text = type_.column is None or type_.column in COLLATED
    is_apart = type_.stored_kind is Kind.STR and not is_text
    return type_.stored_kind, scale, type_.column if is_apart else None


_COMPARISONS: Final = {
    "$eq": Comparison.EQ,
    "$gt": Comparison.GT,
    "$gte": Comparison.GTE,
    "$lt": Comparison.LT,
    "$lte": Comparison.LTE,
}

FIELD_OPERATORS: Final[Mapping[str, Reader]] = {
    "$eq": equal,
    "$ne": _not_equal,
    "$gt": _ordered(Comparison.GT),
    "$gte": _ordered(Comparison.GTE),
    "$lt": _ordered(Comparison.LT),
    "$lte": _ordered(Comparison.LTE),
    "$in": _one_of,
    "$nin": _none_of,
    "$null": _null,
    "$exists": _exists,
    "$mod": _modulo,
    **TEXT_OPERATORS,
}
"""What stands behind a field and needs to know nothing but it, by name."""
