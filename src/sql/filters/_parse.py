"""What a user writes as a filter becomes a tree, checked against the model.

Rules of this file: every name is looked up in the model, every operand is read
by its operator, and whatever is not understood raises `FilterError` with the
path inside the filter. Nothing is guessed and nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeGuard, cast

from ...errors import FilterError, UnknownFieldError
from ...models import Field, Kind, Model, Relation
from ._filter import (
    ALL,
    AnyElement,
    Derived,
    Filter,
    Reading,
    Subject,
    conjunction,
    disjunction,
    negation,
    related,
)
from .operators import (
    COUNT,
    FIELD_OPERATORS,
    LIST_OPERATORS,
    QUANTIFIERS,
    Route,
    checked,
    compare_fields,
    element_of,
    equal,
    is_mapping,
    is_quantified,
    listed,
    nothing_related,
    read_route,
    regex_with_options,
    relation_at,
    route,
    type_name,
    unknown_operator,
)

__all__ = [
    "CONNECTIVES",
    "MAX_DEPTH",
    "MAX_HOPS",
    "MAX_NODES",
    "OPERATORS",
    "QUANTIFIERS",
    "parse",
]

MAX_DEPTH: Final = 32
"""Levels of nesting a filter may have.

SQLite's parser holds 100 open brackets and operators; `Compiler` needs about two
a level. Source: SQLite, parse.y, YYSTACKDEPTH.
"""

MAX_NODES: Final = 1_000
"""Conditions a filter may have, and members of one `$and`, `$or` or `$nor`."""


def parse(given: object, model: Model) -> Filter:
    """Return the tree of a filter.

    Args:
        given: ``{"age": {"$gt": 18}, "$or": [...]}``; None or empty means every row.
        model: Whose fields and relations the filter names.

    Returns:
        The tree; `ALL` itself when every row is meant.

    Raises:
        FilterError: Unknown field or operator, wrong value, or too large.
        ModelError: A relation may be meant, and cannot be resolved.
    """
    found = _comparison(given, model)
    if found is not None:
        return found
    return _Parser(model).all_of({} if given is None else given, "", 1)


_PLAIN: Final = frozenset({bool, int, float, str})

_COMPARING: Final[Mapping[object, Callable[[Field, object, str], Filter]]] = {
    name: FIELD_OPERATORS[name] for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
}


def _comparison(given: object, model: Model) -> Filter | None:
    """Return what one field compared with one value becomes, None for anything else.

    As the parser reads it; it is what is asked most, and takes 1 us this way, not 3.5.
    """
    entry = _only_entry(given)
    if entry is None:
        return None
    name, value = entry
    if not (isinstance(name, str) and model.has_field(name)):
        return None
    if type(value) in _PLAIN:
        return equal(model.field(name), value, name)
    asked = _only_entry(value)
    read = None if asked is None else _COMPARING.get(asked[0])
    if asked is None or read is None or type(asked[1]) not in _PLAIN:
        return None
    return read(model.field(name), asked[1], f"{name}.{asked[0]}")


def _only_entry(given: Any) -> tuple[object, object] | None:  # noqa: ANN401  # as it came
    if given.__class__ is not dict or len(given) != 1:
        return None
    ((name, value),) = given.items()
    return name, value


MAX_HOPS: Final = 8
"""Relations a filter may follow from one row to the next; each is a query inside."""

_Asked = Subject | Route
"""What conditions stand behind."""


class _Parser:
    """One walk over one filter."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._count = 0
        self._hops = 0

    def all_of(self, given: object, path: str, depth: int) -> Filter:
        """Read ``{name: condition, ...}``; all of it must hold."""
        if not is_mapping(given):
            raise FilterError(path, f"expected a mapping, not {type_name(given)}")
        _check_depth(depth, path)
        return _joined(
            [
                self._entry(name, value, f"{path}.{name}" if path else str(name), depth)
                for name, value in given.items()
            ]
        )

    def _entry(self, name: object, value: object, path: str, depth: int) -> Filter:
        self._tally(path)
        if not isinstance(name, str):
            raise FilterError(path, f"expected a field's name, not {type_name(name)}")
        if name.startswith("$"):
            return self._logical(name, value, path, depth)
        first, dot, _ = name.partition(".")
        if not self._model.has_field(first):
            return self._relation(name, value, path, depth)
        subject = route(self._model, name, path) if dot else self._model.field(name)
        return self._conditions(subject, value, path, depth)

    def _relation(self, name: str, value: object, path: str, depth: int) -> Filter:
        """Read what stands behind a relation, or behind a path into a related row."""
        relation, rest = relation_at(self._model, name, path)
        _check_depth(depth, path)
        if rest is not None:
            # The name says where already: the path is not added to.
            read = partial(self._entry, rest, value, path, depth + 1)
            return related(relation, self._inside(relation, read, path))
        if value is None and not relation.is_many:
            return nothing_related(relation)
        if not is_quantified(relation, value, path):
            read = partial(self.all_of, value, path, depth + 1)
            return related(relation, self._inside(relation, read, path))
        parts: list[Filter] = []
        for word, part in cast("Mapping[str, object]", value).items():
            at = f"{path}.{word}"
            self._tally(at)
            read = partial(self.all_of, part, at, depth + 1)
            parts.append(QUANTIFIERS[word](relation, self._inside(relation, read, at)))
        return conjunction(parts)

    def _inside(
        self, relation: Relation, read: Callable[[], Filter], path: str
    ) -> Filter:
        """Read a filter of related rows."""
        if self._hops == MAX_HOPS:
            raise FilterError(path, f"a filter follows at most {MAX_HOPS} relations")
        outer, self._model = self._model, relation.target
        self._hops += 1
        part = read()
        self._model = outer
        self._hops -= 1
        return part

    def _logical(self, name: str, value: object, path: str, depth: int) -> Filter:
        if name == "$not":
            return negation(self.all_of(value, path, depth + 1))
        joined = _LOGICAL.get(name)
        if joined is None:
            raise FilterError(path, unknown_operator(name, CONNECTIVES))
        parts = listed(value, path)
        if len(parts) > MAX_NODES:
            raise FilterError(path, f"takes at most {MAX_NODES} filters")
        return joined(
            [
                self.all_of(part, f"{path}[{index}]", depth + 1)
                for index, part in enumerate(parts)
            ]
        )

    def _conditions(
        self, subject: _Asked, value: object, path: str, depth: int
    ) -> Filter:
        """Read what stands behind a field: a value, or ``{operator: value, ...}``."""
        if not _holds_operators(value):
            if isinstance(subject, Route):
                return read_route(subject, "$eq", value, path)
            return equal(subject, value, path)
        _check_depth(depth, path)
        if "$options" in value:
            return self._with_options(subject, value, path, depth)
        return _joined(
            [
                self._operator(subject, name, operand, f"{path}.{name}", depth)
                for name, operand in value.items()
            ]
        )

    def _with_options(
        self, subject: _Asked, value: Mapping[str, object], path: str, depth: int
    ) -> Filter:
        """Read `$regex` and `$options`, which are one condition, and the others."""
        rest = dict(value)
        options = rest.pop("$options")
        if "$regex" not in rest:
            raise FilterError(f"{path}.$options", "stands beside $regex only")
        self._tally(path)
        text = subject.text() if isinstance(subject, Route) else subject
        regex = regex_with_options(text, rest.pop("$regex"), options, path)
        others = self._conditions(subject, rest, path, depth) if rest else ALL
        return conjunction((regex, others))

    def _operator(
        self, subject: _Asked, name: str, operand: object, path: str, depth: int
    ) -> Filter:
        self._tally(path)
        if name == "$field" or (is_mapping(operand) and "$field" in operand):
            return self._fields(subject, name, operand, path)
        nested = _NESTED.get(name)
        if nested is not None:
            return nested(self, subject, operand, path, depth)
        if name not in _OPERATORS:
            raise FilterError(path, unknown_operator(name, OPERATORS))
        if isinstance(subject, Route):
            return read_route(subject, name, operand, path)
        if name == "$hasKey":
            return read_route(_whole(subject, path), name, operand, path)
        return (LIST_OPERATORS.get(name) or FIELD_OPERATORS[name])(
            subject, operand, path
        )

    def _fields(self, subject: _Asked, name: str, operand: object, path: str) -> Filter:
        """Read a field against another: ``{"$gt": {"$field": "other"}}``."""
        if name == "$field":
            name, other = "$eq", operand
        else:
            ((_, other), *more) = cast("Mapping[str, object]", operand).items()
            path = f"{path}.$field"
            if more:
                raise FilterError(path, "stands alone")
        if not isinstance(subject, Field):
            raise FilterError(path, "only a field is held against a field")
        if not isinstance(other, str):
            raise FilterError(path, f"takes a field's name, not {type_name(other)}")
        try:
            return compare_fields(subject, name, self._model.field(other), path)
        except UnknownFieldError as error:
            raise FilterError(path, str(error)) from error

    # -- operators with conditions in them -------------------------------------

    def read_not(
        self, subject: _Asked, operand: object, path: str, depth: int
    ) -> Filter:
        """Read `$not`."""
        return negation(self._conditions(subject, operand, path, depth + 1))

    def read_between(
        self, subject: _Asked, operand: object, path: str, depth: int
    ) -> Filter:
        """Read `$between`, whose bounds belong to it."""
        if not isinstance(operand, list | tuple):
            raise FilterError(
                path, f"takes [lowest, highest], not {type_name(operand)}"
            )
        bounds = listed(cast("object", operand), path)
        if len(bounds) != 2:  # noqa: PLR2004  # a range has two ends
            raise FilterError(path, "takes two values: [lowest, highest]")
        return conjunction(
            self._operator(subject, name, bound, f"{path}[{index}]", depth)
            for index, (name, bound) in enumerate(
                zip(("$gte", "$lte"), bounds, strict=True)
            )
        )

    def read_any_element(
        self, subject: _Asked, operand: object, path: str, depth: int
    ) -> Filter:
        """Read `$elemMatch`: what one element is, or its operators."""
        if not isinstance(subject, Field):
            raise FilterError(path, "works on a field that is a list of values")
        element = element_of(subject, path)
        part = self._conditions(element, operand, path, depth + 1)
        return AnyElement(subject, part)

    def read_size(
        self, subject: _Asked, operand: object, path: str, depth: int
    ) -> Filter:
        """Read `$size`: a number, or its operators."""
        size = _size(subject, path)
        if not is_mapping(operand):
            number = checked(size, operand, path)
            if number < 0:
                raise FilterError(path, "a size is 0 or more")
        return self._conditions(size, operand, path, depth + 1)

    def _tally(self, path: str) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise FilterError(path, f"a filter has at most {MAX_NODES} conditions")


def _check_depth(depth: int, path: str) -> None:
    if depth > MAX_DEPTH:
        raise FilterError(path, f"a filter nests at most {MAX_DEPTH} deep")


def _holds_operators(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether *value* is ``{"$gt": ...}`` rather than a value to compare with."""
    if not is_mapping(value) or not value:
        return False
    # `all` of a generator takes 0.4 us more for the one operator there mostly is.
    for name in value:  # noqa: SIM110
        if not (isinstance(name, str) and name.startswith("$")):
            return False
    return True


def _joined(parts: list[Filter]) -> Filter:
    """Return what holds if all parts do; mostly there is one."""
    return parts[0] if len(parts) == 1 else conjunction(parts)


def _none_of(parts: Iterable[Filter]) -> Filter:
    return negation(disjunction(parts))


def _whole(subject: Subject, path: str) -> Route:
    if isinstance(subject, Field) and subject.type.kind in {Kind.JSON, Kind.STRUCT}:
        return Route(subject)
    raise FilterError(path, f"works on JSON, not on {subject.type.describe()}")


def _size(subject: _Asked, path: str) -> Derived:
    if isinstance(subject, Field) and subject.type.kind is Kind.LIST:
        return Derived(subject, Reading.SIZE, COUNT)
    at = subject if isinstance(subject, Route) else _whole(subject, path)
    return at.read(Reading.SIZE, COUNT)


_Nested = Callable[[_Parser, _Asked, object, str, int], Filter]

_NESTED: Final[Mapping[str, _Nested]] = {
    "$not": _Parser.read_not,
    "$between": _Parser.read_between,
    "$elemMatch": _Parser.read_any_element,
    "$size": _Parser.read_size,
}

OPERATORS: Final = (
    *FIELD_OPERATORS,
    *LIST_OPERATORS,
    *_NESTED,
    "$hasKey",
    "$field",
    "$options",
)
"""What may stand behind a field."""

_OPERATORS: Final = frozenset(OPERATORS)

_LOGICAL: Final[Mapping[str, Callable[[list[Filter]], Filter]]] = {
    "$and": conjunction,
    "$or": disjunction,
    "$nor": _none_of,
}

CONNECTIVES: Final = (*_LOGICAL, "$not")
"""What may stand in place of a field."""
