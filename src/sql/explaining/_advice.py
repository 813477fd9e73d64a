"""Which index would help a query, in words.

Rules of this file: an index that the model declares is not asked for again, whether
the database uses it or not; in a small table it rightly does not. What no index of a
model can serve is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ...models import Field, Model
from ..filters import (
    And,
    Compare,
    Comparison,
    Filter,
    OneOf,
    Or,
    Term,
)

__all__ = ["advice"]

_Fields = tuple[str, ...]

_UNSERVED: Final = (
    "no index of a model serves this filter, so every row is read: narrow it by a field "
    "that is compared or looked up"
)


def advice(
    model: Model,
    where: Filter,
    order: Sequence[Term],
    *,
    is_searched: bool,
    is_sorted: bool,
) -> tuple[str, ...]:
    """Return what would help, a sentence each.

    Args:
        model: What is read.
        where: The filter.
        order: The order, the key behind it.
        is_searched: Whether an index finds the rows.
        is_sorted: Whether rows are sorted.
    """
    hints: list[str] = []
    if not is_searched and not (isinstance(where, And) and not where.parts):
        hints += _for_filter(model, where)
    if is_sorted:
        hints += _for_order(model, where, order)
    return tuple(dict.fromkeys(hints))


def _for_filter(model: Model, where: Filter) -> Iterator[str]:
    wanted = _wanted(where)
    if not wanted:
        yield _UNSERVED
    starts = {fields[0] for fields in _declared(model)}
    for fields in wanted:
        if starts.isdisjoint(fields):
            named = _listed(model, fields)
            yield f"no index serves the filter on {named}: {_remedy(fields)}"


def _for_order(model: Model, where: Filter, order: Sequence[Term]) -> Iterator[str]:
    equal, _ = _looked_up(where)
    ordered = _one_way(model, order)
    fields = tuple(dict.fromkeys((*equal, *ordered)))
    helpful = [ordered, fields]
    if not any(
        _begins(each, wanted) for each in _declared(model) for wanted in helpful
    ):
        named = _listed(model, ordered)
        yield (
            f"no index serves the order by {named}, so all rows are sorted: "
            f"{_remedy(fields)}"
        )


def _begins(declared: _Fields, wanted: _Fields) -> bool:
    """Whether *declared* has rows in the order wanted, or nearly so."""
    shared = min(len(declared), len(wanted))
    return declared[:shared] == wanted[:shared]


def _one_way(model: Model, order: Sequence[Term]) -> _Fields:
    """Return the fields of the order that go its first way, without the implied key."""
    first = order[0]
    fields: list[str] = []
    for term in order:
        if term.is_descending != first.is_descending:
            break
        fields.append(term.field.name)
    while len(fields) > 1 and fields[-1] in model.key:
        fields.pop()
    return tuple(fields)


def _declared(model: Model) -> Iterator[_Fields]:
    yield model.key
    yield from model.uniques
    yield from (index.fields for index in model.indexes)


def _listed(model: Model, fields: Iterable[str]) -> str:
    return ", ".join(f"{model.name}.{name}" for name in fields)


def _remedy(fields: _Fields) -> str:
    names = ", ".join(f'"{name}"' for name in fields)
    return f'add {{"fields": [{names}]}} to __indexes__'


# -- what of a filter an index can serve ----------------------------------------------


def _wanted(part: Filter) -> list[_Fields]:
    """Return the fields of each index that is needed; none if indexes cannot help."""
    if isinstance(part, Or):
        each = [_wanted(arm) for arm in part.parts]
        return [fields for arm in each for fields in arm] if all(each) else []
    equal, ordered = _looked_up(part)
    fields = (*equal, *ordered[:1])
    if fields:
        return [tuple(dict.fromkeys(fields))]
    for inner in part.parts if isinstance(part, And) else ():
        if found := _wanted(inner):
            return found
    return []


def _looked_up(part: Filter) -> tuple[list[str], list[str]]:
    """Return the fields held against values for equality, and for their order."""
    equal: list[str] = []
    ordered: list[str] = []
    for leaf in part.parts if isinstance(part, And) else (part,):
        if isinstance(leaf, Compare | OneOf) and isinstance(leaf.field, Field):
            is_equal = isinstance(leaf, OneOf) or leaf.comparison is Comparison.EQ
            (equal if is_equal else ordered).append(leaf.field.name)
    return equal, ordered
