"""What may be asked of a list, as a table.

Order and repeats do not count. `$elemMatch` and `$size` are conditions in turn, so
the parser reads what stands behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ....errors import FilterError
from ....models import Field, FieldType, Kind
from .._filter import (
    NOTHING,
    AnyElement,
    Compare,
    Comparison,
    Derived,
    Filter,
    Members,
    Membership,
    OneOf,
    Reading,
    conjunction,
    negation,
)
from ._operand import checked, listed
from ._operators import is_null

__all__ = ["COUNT", "LIST_OPERATORS", "MAX_MEMBERS", "element_of", "spelled_out"]

MAX_MEMBERS: Final = 1_000
"""Values `$all`, `$overlap` and `$containedBy` take."""

COUNT: Final = FieldType(Kind.INT, int)
"""The type of a list's size."""


def element_of(field: Field, path: str) -> Derived:
    """Return what stands for the element of a list in `AnyElement`.

    Raises:
        FilterError: The field is no list of single values.
    """
    if field.type.element is None:
        problem = f"works on a list of values, not on {field.type.describe()}"
        raise FilterError(path, problem)
    return Derived(field, Reading.ELEMENT, field.type.element)


def _members(membership: Membership, field: Any, value: object, path: str) -> Filter:  # noqa: ANN401  # a Field, which `element_of` checks
    element = element_of(field, path)
    values = listed(value, path)
    if len(values) > MAX_MEMBERS:
        raise FilterError(path, f"takes at most {MAX_MEMBERS} values")
    given = tuple(
        checked(element, each, f"{path}[{index}]") for index, each in enumerate(values)
    )
    return Members(field, membership, given) if given else _of_none(membership, field)


def _of_none(membership: Membership, field: Field) -> Filter:
    """Say what no values at all mean."""
    if membership is Membership.ALL:
        return negation(is_null(field))
    if membership is Membership.OVERLAP:
        return NOTHING
    return Compare(Derived(field, Reading.SIZE, COUNT), Comparison.EQ, 0)


def spelled_out(part: Members) -> Filter:
    """Return the same in terms of `AnyElement`, for what has no lists."""
    element = element_of(part.field, "")
    if part.membership is Membership.ALL:
        return conjunction(
            AnyElement(part.field, Compare(element, Comparison.EQ, value))
            for value in part.values
        )
    among = OneOf(element, part.values)
    if part.membership is Membership.OVERLAP:
        return AnyElement(part.field, among)
    another = AnyElement(part.field, negation(among))
    return conjunction((negation(is_null(part.field)), negation(another)))


_Read = Callable[[Any, object, str], Filter]

LIST_OPERATORS: Final[Mapping[str, _Read]] = {
    "$all": partial(_members, Membership.ALL),
    "$overlap": partial(_members, Membership.OVERLAP),
    "$containedBy": partial(_members, Membership.CONTAINED),
}
"""What stands behind a list, by name."""
