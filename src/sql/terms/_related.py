"""Related rows, as far as the sender may see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from ...models import Model
from .._statement import Statement
from ..filters import And, Filter, Not, Or, Related, conjunction
from ..tables import RelatedRows
from ._guarded import Guarded, clear
from ._masked import lay
from ._partial import names_in
from ._terms import Terms

__all__ = ["ReadTerms", "restricted", "select_related"]

ReadTerms = Callable[[Model], Terms]
"""Returns under what terms rows of another model may be read; raises if they may not."""


def restricted(part: Filter, read: ReadTerms) -> Filter:
    """Return a filter that knows of related rows only those that may be seen.

    Raises:
        Exception: Related rows may not be read, or a field is masked there.
    """
    if isinstance(part, And | Or):
        if not part.parts:
            return part
        return type(part)(tuple(restricted(each, read) for each in part.parts))
    if isinstance(part, Not):
        return Not(restricted(part.part, read))
    if isinstance(part, Related):
        terms = read(part.relation.target)
        for name in sorted(names_in(part.part).intersection(terms.masks)):
            raise terms.unasked(name)
        inner = restricted(part.part, read)
        return Related(part.relation, conjunction((inner, terms.visible)))
    return part


def select_related(
    statements: RelatedRows, columns: Sequence[Sequence[Any]], terms: Terms
) -> Guarded:
    """Select related rows that are visible, masked."""
    statement: Statement = statements.select(columns, terms.visible)
    decode, masks = statement.decode, terms.masks
    if decode is None or not masks:
        return clear(statement)

    def masked(rows: Sequence[Any]) -> Sequence[Any]:
        found = decode(rows)
        for _, record in found:
            lay(masks, record)
        return found

    return clear(replace(statement, decode=masked))
