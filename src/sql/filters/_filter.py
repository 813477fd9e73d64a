"""Filters as a tree: what a query asks for, before it is SQL.

Rules of this file: a node names fields of a model and holds values that the
field's type has checked; nothing here came from a user as text of SQL. The
meaning is two-valued, as in MongoDB: a comparison with NULL is false, and
`Not` of it is true. Trees made by `conjunction`, `disjunction` and `negation`
hold nothing superfluous: one that means every row, whatever was written, *is*
`ALL`, so that a bulk node can tell and ask whether it was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

from ...models import Field, FieldType, Relation

__all__ = [
    "ALL",
    "NOTHING",
    "And",
    "AnyElement",
    "Compare",
    "CompareFields",
    "CompareRow",
    "Comparison",
    "Derived",
    "Filter",
    "Match",
    "Matching",
    "Members",
    "Membership",
    "Modulo",
    "Not",
    "OneOf",
    "Or",
    "Reading",
    "Related",
    "Subject",
    "conjunction",
    "disjunction",
    "negation",
    "related",
]


class Comparison(StrEnum):
    """How `Compare` holds a field against a value."""

    EQ = "="
    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="


class Matching(StrEnum):
    """How `Match` holds text against a pattern."""

    LIKE = "like"
    REGEX = "regex"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"


class Membership(StrEnum):
    """How `Members` holds a list against values."""

    ALL = "@>"
    OVERLAP = "&&"
    CONTAINED = "<@"


class Reading(StrEnum):
    """What `Derived` reads; what is of another type there reads as NULL."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    VALUE = "value"
    """Anything but null."""
    ANYTHING = "anything"
    """Null too: whether the path leads anywhere."""
    SIZE = "size"
    """How many elements the list has."""
    ELEMENT = "element"
    """The element that `AnyElement` looks at."""


class Derived(msgspec.Struct, frozen=True, eq=False):
    """A value read out of a field: at a path in JSON, or of a list.

    Attributes:
        field: The field it is in.
        reading: What is read.
        type: As what it is compared.
        steps: The way into JSON: a str is a key, an int an index or a key of digits.
    """

    field: Field
    reading: Reading
    type: FieldType
    steps: tuple[str | int, ...] = ()

    @property
    def name(self) -> str:
        """Name of the field it is in."""
        return self.field.name


Subject = Field | Derived
"""What is compared."""


class _Node(msgspec.Struct, frozen=True, eq=False):
    """Base of the tree."""


class Compare(_Node, frozen=True, eq=False):
    """One field against one value; EQ with None asks for NULL."""

    field: Subject
    comparison: Comparison
    value: Any


class OneOf(_Node, frozen=True, eq=False):
    """One field against a list of values; None in it asks for NULL as well."""

    field: Subject
    values: tuple[Any, ...]


class Match(_Node, frozen=True, eq=False):
    """One text field against a pattern, case-sensitive."""

    field: Subject
    matching: Matching
    pattern: str


class CompareFields(_Node, frozen=True, eq=False):
    """One field against another of a type that is stored alike."""

    field: Field
    comparison: Comparison
    other: Field


class CompareRow(_Node, frozen=True, eq=False):
    """Several fields against as many values: the first pair that differs decides.

    Before it, a NULL lets nothing through.

    Attributes:
        fields: At least two.
        comparison: GT or LT.
        values: None of them None.
    """

    fields: tuple[Field, ...]
    comparison: Comparison
    values: tuple[Any, ...]


class Modulo(_Node, frozen=True, eq=False):
    """The rest of a division, whose sign is that of the field's value.

    Attributes:
        field: An int.
        divisor: Not zero.
        remainder: What is to be left.
    """

    field: Subject
    divisor: int
    remainder: int


class Members(_Node, frozen=True, eq=False):
    """A list against values, at least one, without order or repeats."""

    field: Field
    membership: Membership
    values: tuple[Any, ...]


class AnyElement(_Node, frozen=True, eq=False):
    """At least one element of a list is let through by *part*.

    In *part*, `Derived` with `Reading.ELEMENT` stands for the element.
    """

    field: Field
    part: Filter


class Related(_Node, frozen=True, eq=False):
    """At least one related row is let through by *part*.

    What is asked of every related row, or of none, is the negation of this: a
    predicate joined to *part* then means the rows that exist for somebody.

    Attributes:
        relation: Whose target the fields in *part* belong to.
    """

    relation: Relation
    part: Filter


class And(_Node, frozen=True, eq=False):
    """All parts hold; without parts it is true."""

    parts: tuple[Filter, ...]


class Or(_Node, frozen=True, eq=False):
    """At least one part holds; without parts it is false."""

    parts: tuple[Filter, ...]


class Not(_Node, frozen=True, eq=False):
    """The part does not hold, or speaks of NULL."""

    part: Filter


Leaf = (
    Compare
    | OneOf
    | Match
    | CompareFields
    | CompareRow
    | Modulo
    | Members
    | AnyElement
    | Related
)

Filter = Leaf | And | Or | Not

ALL: Final = And(())
"""Every row."""

NOTHING: Final = Or(())
"""No row."""


def conjunction(parts: Iterable[Filter]) -> Filter:
    """Return the filter for the rows that every part lets through."""
    flat: list[Filter] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    if NOTHING in flat:
        return NOTHING
    return _only(flat) or (And(tuple(flat)) if flat else ALL)


def disjunction(parts: Iterable[Filter]) -> Filter:
    """Return the filter for the rows that at least one part lets through."""
    flat: list[Filter] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    if ALL in flat:
        return ALL
    return _only(flat) or (Or(tuple(flat)) if flat else NOTHING)


def negation(part: Filter) -> Filter:
    """Return the filter for the rows that *part* does not let through."""
    if part is ALL:
        return NOTHING
    if part is NOTHING:
        return ALL
    return part.part if isinstance(part, Not) else Not(part)


def related(relation: Relation, part: Filter) -> Filter:
    """Return the filter for rows with a related row that *part* lets through."""
    return NOTHING if part is NOTHING else Related(relation, part)


def _only(parts: list[Filter]) -> Filter | None:
    return parts[0] if len(parts) == 1 else None
