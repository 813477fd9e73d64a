"""A filter in Python: the same rows are let through as on the databases.

Rules of this file: a filter is compiled once, to functions that know their fields
and values; a row is what a node returns, its values in their normal form. What is
NULL, or of another type than is asked for, is None and passes no comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from importlib import import_module
from operator import ge, gt, le, lt
from typing import Any, Final, Protocol, cast

import msgspec

from ...errors import RelationNotLoadedError
from ...models import Field, Kind
from ._filter import (
    And,
    AnyElement,
    Compare,
    CompareFields,
    CompareRow,
    Comparison,
    Derived,
    Filter,
    Match,
    Matching,
    Members,
    Membership,
    Modulo,
    Not,
    OneOf,
    Or,
    Reading,
    Related,
    Subject,
)
from ._json_at import value_at
from .operators import in_re2

__all__ = ["evaluate", "matcher"]

Row = Mapping[str, Any]
Matcher = Callable[[Row], bool]

_Read = Callable[[Row], Any]
_Test = Callable[[str], bool]

_ELEMENT: Final = ""
"""Under which name an element stands in the row that a condition on it gets."""

_PATTERNS_CACHED: Final = 256


def evaluate(part: Filter, row: Row) -> bool:
    """Tell whether *part* lets *row* through; for many rows take `matcher`."""
    return matcher(part)(row)


def matcher(part: Filter) -> Matcher:
    """Return a function that tells whether *part* lets a row through.

    It takes a mapping with at least the fields that the filter names, as they come
    out of a node, and raises KeyError where one is missing. Related rows are in it
    as ``include`` puts them there: under the relation's name, one or None, or a list.

    The function raises `RelationNotLoadedError` where they are not.
    """
    return _COMPILERS[type(part)](part)


# -- connectives ------------------------------------------------------------------


def _and(part: And) -> Matcher:
    matchers = tuple(map(matcher, part.parts))
    if len(matchers) == 2:  # noqa: PLR2004  # the most frequent number, quicker
        first, second = matchers
        return lambda row: first(row) and second(row)

    def every(row: Row) -> bool:
        for each in matchers:  # noqa: SIM110  # all() takes twice as long
            if not each(row):
                return False
        return True

    return every


def _or(part: Or) -> Matcher:
    matchers = tuple(map(matcher, part.parts))

    def some(row: Row) -> bool:
        for each in matchers:  # noqa: SIM110  # any() takes twice as long
            if each(row):
                return True
        return False

    return some


def _not(part: Not) -> Matcher:
    inner = matcher(part.part)
    return lambda row: not inner(row)


# -- values -----------------------------------------------------------------------


def _plain(value: Any) -> Any:  # noqa: ANN401  # a field's value
    """Return what is stored of a choice."""
    return value.value if isinstance(value, Enum) else value


def _reader(subject: Subject) -> _Read:
    if isinstance(subject, Derived):
        return _derived(subject)
    name = subject.name
    if subject.type.kind is Kind.ENUM:
        return lambda row: _plain(row[name])
    return lambda row: row[name]


def _derived(subject: Derived) -> _Read:
    name, steps, reading = subject.name, subject.steps, subject.reading
    if reading is Reading.ELEMENT:
        return lambda row: row[_ELEMENT]
    if subject.field.type.kind is Kind.STRUCT:
        builtins = msgspec.to_builtins
        return lambda row: value_at(_or_missing(row[name], builtins), steps, reading)
    return lambda row: value_at(_or_missing(row[name]), steps, reading)


_NOWHERE: Final = object()


def _or_missing(document: Any, convert: Callable[[Any], Any] | None = None) -> Any:  # noqa: ANN401  # JSON
    """Return what a path starts from: of a field that is NULL, nothing."""
    if document is None:
        return _NOWHERE
    return document if convert is None else convert(document)


def _compare(part: Compare) -> Matcher:
    value = _plain(part.value)
    is_plain = isinstance(part.field, Field) and part.field.type.kind is not Kind.ENUM
    if value is None:
        read = _reader(part.field)
        return lambda row: read(row) is None
    if is_plain:
        return _PLAIN[part.comparison](part.field.name, value)
    return _held(part.comparison, _reader(part.field), value)


def _held(comparison: Comparison, read: _Read, value: object) -> Matcher:
    if comparison is Comparison.EQ:
        return lambda row: bool(read(row) == value)
    holds = _ORDERS[comparison]

    def compare(row: Row) -> bool:
        found = read(row)
        return found is not None and holds(found, value)

    return compare


_ORDERS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.GT: gt,
    Comparison.GTE: ge,
    Comparison.LT: lt,
    Comparison.LTE: le,
}


def _equal(name: str, value: object) -> Matcher:
    return lambda row: bool(row[name] == value)


def _above(name: str, value: Any) -> Matcher:  # noqa: ANN401  # of any ordered type
    return lambda row: (found := row[name]) is not None and found > value


def _from(name: str, value: Any) -> Matcher:  # noqa: ANN401  # likewise
    return lambda row: (found := row[name]) is not None and found >= value


def _below(name: str, value: Any) -> Matcher:  # noqa: ANN401  # likewise
    return lambda row: (found := row[name]) is not None and found < value


def _to(name: str, value: Any) -> Matcher:  # noqa: ANN401  # likewise
    return lambda row: (found := row[name]) is not None and found <= value


_PLAIN: Final[Mapping[Comparison, Callable[[str, Any], Matcher]]] = {
    Comparison.EQ: _equal,
    Comparison.GT: _above,
    Comparison.GTE: _from,
    Comparison.LT: _below,
    Comparison.LTE: _to,
}
"""The comparisons of a plain field: one call instead of three."""


def _compare_fields(part: CompareFields) -> Matcher:
    left, right = _reader(part.field), _reader(part.other)
    holds = _ORDERS.get(part.comparison)

    def compare(row: Row) -> bool:
        one, other = left(row), right(row)
        if one is None or other is None:
            return False
        return bool(one == other) if holds is None else holds(one, other)

    return compare


def _compare_row(part: CompareRow) -> Matcher:
    readers = [_reader(field) for field in part.fields]
    holds, values = _ORDERS[part.comparison], [_plain(each) for each in part.values]

    def compare(row: Row) -> bool:
        for read, value in zip(readers, values, strict=True):
            found = read(row)
            if found is None or found != value:
                return found is not None and holds(found, value)
        return False

    return compare


def _one_of(part: OneOf) -> Matcher:
    read, values = _reader(part.field), frozenset(map(_plain, part.values))
    return lambda row: read(row) in values


def _modulo(part: Modulo) -> Matcher:
    read, divisor, remainder = _reader(part.field), abs(part.divisor), part.remainder

    def leaves(row: Row) -> bool:
        found = read(row)
        if found is None:
            return False
        rest = abs(found) % divisor
        return bool((rest if found >= 0 else -rest) == remainder)

    return leaves


# -- lists ------------------------------------------------------------------------


def _members(part: Members) -> Matcher:
    name, values = part.field.name, frozenset(map(_plain, part.values))
    holds = _MEMBERSHIPS[part.membership]

    def compare(row: Row) -> bool:
        found = row[name]
        return found is not None and holds(frozenset(map(_plain, found)), values)

    return compare


def _all(found: frozenset[Any], values: frozenset[Any]) -> bool:
    return found >= values


def _contained(found: frozenset[Any], values: frozenset[Any]) -> bool:
    return found <= values


def _overlap(found: frozenset[Any], values: frozenset[Any]) -> bool:
    return not found.isdisjoint(values)


_MEMBERSHIPS: Final[
    Mapping[Membership, Callable[[frozenset[Any], frozenset[Any]], bool]]
] = {
    Membership.ALL: _all,
    Membership.OVERLAP: _overlap,
    Membership.CONTAINED: _contained,
}


def _any_element(part: AnyElement) -> Matcher:
    name, inner = part.field.name, matcher(part.part)

    def some(row: Row) -> bool:
        found = row[name]
        if found is None:
            return False
        return any(inner({_ELEMENT: _plain(each)}) for each in found)

    return some


# -- relations --------------------------------------------------------------------


def _related(part: Related) -> Matcher:
    model, name = part.relation.source.name, part.relation.name
    is_many, inner = part.relation.is_many, matcher(part.part)

    def some(row: Row) -> bool:
        try:
            found = row[name]
        except KeyError:
            raise RelationNotLoadedError(model, name) from None
        if is_many:
            return any(map(inner, found))
        return found is not None and inner(found)

    return some


# -- text -------------------------------------------------------------------------


def _match(part: Match) -> Matcher:
    read, test = _reader(part.field), _TESTS[part.matching](part.pattern)

    def search(row: Row) -> bool:
        found = read(row)
        return found is not None and test(found)

    return search


class _Pattern(Protocol):
    def search(self, text: str) -> object: ...


@lru_cache(_PATTERNS_CACHED)
def _compile(pattern: str) -> _Pattern:
    re2: Any = import_module("re2")  # only where it is used; it has no types
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    return cast("_Pattern", re2.compile(in_re2(pattern), options))


def _regex(pattern: str) -> _Test:
    search = _compile(pattern).search
    return lambda text: search(text) is not None


def _contains(pattern: str) -> _Test:
    return lambda text: pattern in text


def _starts_with(pattern: str) -> _Test:
    return lambda text: text.startswith(pattern)


def _ends_with(pattern: str) -> _Test:
    return lambda text: text.endswith(pattern)


def _like(pattern: str) -> _Test:
    """Look for the stretches between percent signs, each as early as it can be.

    Such a stretch has one length, so none is ever looked for twice.
    """
    head, *rest = _stretches(pattern)
    if not rest:
        whole = re.compile(head, re.DOTALL)
        return lambda text: whole.fullmatch(text) is not None
    first, last = re.compile(head, re.DOTALL), re.compile(rf"{rest.pop()}\Z", re.DOTALL)
    middle = [re.compile(each, re.DOTALL) for each in rest]

    def search(text: str) -> bool:
        found = first.match(text)
        for each in (*middle, last):
            if found is None:
                return False
            found = each.search(text, found.end())
        return found is not None

    return search


def _stretches(like: str) -> Sequence[str]:
    """Return the expressions of what stands between percent signs."""
    out = [""]
    for sign in _SIGN.findall(like):
        if sign == "%":
            out.append("")
        else:
            out[-1] += "." if sign == "_" else re.escape(sign[-1])
    return out


_SIGN: Final = re.compile(r"\\.|.", re.DOTALL)

_TESTS: Final[Mapping[Matching, Callable[[str], _Test]]] = {
    Matching.LIKE: _like,
    Matching.REGEX: _regex,
    Matching.CONTAINS: _contains,
    Matching.STARTS_WITH: _starts_with,
    Matching.ENDS_WITH: _ends_with,
}

_COMPILERS: Final[Mapping[type, Callable[[Any], Matcher]]] = {
    And: _and,
    Or: _or,
    Not: _not,
    Compare: _compare,
    CompareFields: _compare_fields,
    CompareRow: _compare_row,
    OneOf: _one_of,
    Modulo: _modulo,
    Members: _members,
    AnyElement: _any_element,
    Match: _match,
    Related: _related,
}
