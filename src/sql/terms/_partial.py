"""What is left of a filter when some of its values are known.

Rules of this file: names in a condition are those of values (``old:status``), not of
columns. What is known is decided here, by the functions that decide it for rows; what
stands for a column of the stored row is left, under the column's name; and what is
neither, because the database computes it, cannot be decided before it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from msgspec.structs import replace

from ...models import Field
from ..filters import (
    ALL,
    NOTHING,
    And,
    AnyElement,
    Compare,
    CompareFields,
    CompareRow,
    Comparison,
    Derived,
    Filter,
    Not,
    Or,
    Related,
    conjunction,
    disjunction,
    matcher,
    negation,
)

__all__ = ["UndecidedError", "decide", "names_in"]

Subject = Field | Derived


class UndecidedError(LookupError):
    """A condition speaks of a value that only the database will know."""


_FLIPPED: Final = {
    Comparison.EQ: Comparison.EQ,
    Comparison.GT: Comparison.LT,
    Comparison.GTE: Comparison.LTE,
    Comparison.LT: Comparison.GT,
    Comparison.LTE: Comparison.GTE,
}


def decide(
    part: Filter, known: Mapping[str, Any], columns: Mapping[str, Field]
) -> Filter:
    """Return what *part* comes down to for rows of a table.

    Args:
        part: The condition.
        known: Values by name, in their normal form.
        columns: The column that each of the other names stands for.

    Returns:
        A filter of columns: `ALL` if it holds for every row, `NOTHING` if for none.

    Raises:
        UndecidedError: A name is in neither.
    """
    if isinstance(part, And | Or):
        join = conjunction if isinstance(part, And) else disjunction
        return join(decide(each, known, columns) for each in part.parts)
    if isinstance(part, Not):
        return negation(decide(part.part, known, columns))
    if isinstance(part, CompareFields):
        return _decide_fields(part, known, columns)
    assert not isinstance(part, CompareRow | Related), "no rule says this"  # noqa: S101
    if part.field.name in known:
        return ALL if matcher(part)(known) else NOTHING
    if isinstance(part, AnyElement):
        column = _column(part.field, columns)
        return AnyElement(column, _element(part.part, columns))
    return cast("Filter", replace(part, field=_subject(part.field, columns)))


def _decide_fields(
    part: CompareFields, known: Mapping[str, Any], columns: Mapping[str, Field]
) -> Filter:
    is_known, other_is_known = part.field.name in known, part.other.name in known
    if is_known and other_is_known:
        return ALL if matcher(part)(known) else NOTHING
    if is_known or other_is_known:
        given, asked = (
            (part.field, part.other) if is_known else (part.other, part.field)
        )
        value = known[given.name]
        column = _column(asked, columns)
        # A comparison with NULL is false; one with None would ask for NULL.
        if value is None:
            return NOTHING
        how = _FLIPPED[part.comparison] if is_known else part.comparison
        return Compare(column, how, value)
    left, right = _column(part.field, columns), _column(part.other, columns)
    return CompareFields(left, part.comparison, right)


def _subject(subject: Subject, columns: Mapping[str, Field]) -> Subject:
    column = _column(subject, columns)
    return replace(subject, field=column) if isinstance(subject, Derived) else column


def _column(subject: Subject, columns: Mapping[str, Field]) -> Field:
    try:
        return columns[subject.name]
    except KeyError:
        raise UndecidedError(subject.name) from None


def _element(part: Filter, columns: Mapping[str, Field]) -> Filter:
    """Return a condition on the elements of a list, for those of a column."""
    if isinstance(part, And | Or):
        return type(part)(tuple(_element(each, columns) for each in part.parts))
    if isinstance(part, Not):
        return Not(_element(part.part, columns))
    inner: Any = part
    return cast("Filter", replace(inner, field=_subject(inner.field, columns)))


def names_in(part: Filter) -> frozenset[str]:
    """Return the names of the values, or of the fields, that a condition speaks of."""
    return frozenset(_names(part))


def _names(part: Filter) -> Iterator[str]:
    if isinstance(part, And | Or):
        for each in part.parts:
            yield from _names(each)
    elif isinstance(part, Not):
        yield from _names(part.part)
    elif isinstance(part, CompareRow):
        yield from (each.name for each in part.fields)
    elif not isinstance(part, Related):  # whose names are those of another model
        yield part.field.name
        if isinstance(part, CompareFields):
            yield part.other.name
