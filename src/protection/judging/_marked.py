"""Rules that fields bring along by how they are declared."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ...models import Field, Model
from ...sql import (
    NEW,
    OLD,
    Compare,
    CompareFields,
    Comparison,
    Filter,
    conjunction,
    negation,
)
from ..rules import Rule, row_columns

__all__ = ["Marked", "marked"]


class Marked(msgspec.Struct, frozen=True, eq=False):
    """What a mark of a field refuses.

    Attributes:
        rule: As which rule it counts.
        actions: Of which writes.
        when: Of which rows.
        fields: Only where one of these is named; None, whatever is named.
    """

    rule: Rule
    actions: frozenset[str]
    when: Filter
    fields: frozenset[str] | None


_UPDATE = frozenset({"update"})


def marked(model: Model) -> Iterator[Marked]:
    """Yield what the marks of a model's fields refuse."""
    spoken = row_columns(model)
    for field in model.fields:
        marks, name = field.marks, field.name
        old, new = spoken[f"{OLD}{name}"], spoken[f"{NEW}{name}"]
        only = frozenset({name})
        if marks.is_immutable:
            rule = _rule("immutable", field, "it keeps its first value")
            yield Marked(rule, _UPDATE, _differs(old, new), only)
        if marks.is_write_once:
            rule = _rule("write_once", field, "it is set once")
            was_set = negation(Compare(old, Comparison.EQ, None))
            changes = conjunction((was_set, _differs(old, new)))
            yield Marked(rule, _UPDATE, changes, only)
        if marks.is_never_null:
            rule = _rule("never_null", field, "it is never set to None")
            is_null = Compare(new, Comparison.EQ, None)
            yield Marked(rule, frozenset({"create"}), is_null, None)
            yield Marked(rule, _UPDATE, is_null, only)


def _rule(mark: str, field: Field, reason: str) -> Rule:
    id_ = f"{mark}:{field.model}.{field.name}"
    return Rule("deny", fields=(field.name,), reason=reason, id=id_)


def _differs(old: Field, new: Field) -> Filter:
    """Return the condition that a field changes; None is like None here."""
    both = (
        Compare(old, Comparison.EQ, None),
        Compare(new, Comparison.EQ, None),
    )
    same = CompareFields(old, Comparison.EQ, new)
    return conjunction((negation(same), negation(conjunction(both))))
