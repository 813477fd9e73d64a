"""Paths into JSON: what `{"meta.address.city": "Bern"}` names, and what is asked of it.

Rules of this file: the type of the operand says as what the value is read, and a
value of another type is no value: text is never equal to a number. A step of digits
is an index in a list and a key in an object; every other step is a key. Steps
travel as parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ....errors import FilterError, nearest
from ....models import Field, FieldType, Kind, MismatchError, Model
from .._filter import Derived, Filter, Reading, disjunction, negation
from ._operand import listed, type_name
from ._operators import FIELD_OPERATORS, MAX_VALUES, is_null
from ._text import TEXT_OPERATORS

__all__ = ["Route", "read_route", "route"]

MAX_STEPS: Final = 100
"""Steps a path may have: JSON nests no deeper."""

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")

_TYPES: Final[Mapping[type, tuple[Reading, FieldType]]] = {
    str: (Reading.TEXT, FieldType(Kind.STR, str)),
    bool: (Reading.FLAG, FieldType(Kind.BOOL, bool)),
    int: (Reading.NUMBER, FieldType(Kind.INT, int)),
    float: (Reading.NUMBER, FieldType(Kind.FLOAT, float)),
}
"""How an operand's type reads what it is held against."""

_ANY: Final = FieldType(Kind.JSON, dict)


class Route(msgspec.Struct, frozen=True, eq=False):
    """A place in the JSON of a field; without steps, all of it."""

    field: Field
    steps: tuple[str | int, ...] = ()

    def read(self, reading: Reading, type_: FieldType) -> Derived:
        """Return what stands there, read as said."""
        return Derived(self.field, reading, type_, self.steps)

    def text(self) -> Derived:
        """Return what stands there, if it is text."""
        return self.read(*_TYPES[str])

    def read_for(self, operand: object, path: str) -> Derived:
        """Return what stands there, read as the type of *operand*."""
        for type_ in type(operand).__mro__:
            if type_ in _TYPES:
                return self.read(*_TYPES[type_])
        problem = f"JSON is held against str, int, float, bool or None, not {type_name(operand)}"
        raise FilterError(path, problem)


def route(model: Model, name: str, path: str) -> Route:
    """Return the place that a dotted *name* means; its first part is a field's.

    Raises:
        FilterError: The field is not JSON, or a Struct without such a name; the
            nearest one is told.
    """
    first, *steps = name.split(".")
    field = model.field(first)
    if field.type.kind not in {Kind.JSON, Kind.STRUCT}:
        problem = f"{first!r} is {field.type.describe()}: only JSON has paths"
        raise FilterError(path, problem)
    if len(steps) > MAX_STEPS:
        raise FilterError(path, f"a path has at most {MAX_STEPS} steps")
    for step in steps:
        _check_step(step, path)
    if field.type.kind is Kind.STRUCT:
        _check_names(field.type.python_type, steps, path)
    return Route(field, tuple(map(_step, steps)))


def _check_step(step: str, path: str) -> None:
    if not step:
        raise FilterError(path, "a path has a name between its dots")
    try:
        _TYPES[str][1].check(step)
    except MismatchError as error:
        raise FilterError(path, f"a name in a path {error}") from None


def _step(step: str) -> str | int:
    return int(step) if _INDEX.fullmatch(step) else step


def _check_names(struct: type[msgspec.Struct], steps: list[str], path: str) -> None:
    """Check the names of a Struct, as far as its fields are Structs themselves."""
    config = struct.__struct_config__
    if not steps or config.array_like:
        return
    types = {each.encode_name: each.type for each in msgspec.structs.fields(struct)}
    known = (*types, *((config.tag_field,) if config.tag_field else ()))
    first, *rest = steps
    if first not in known:
        match = nearest(first, known)
        hint = f"did you mean {match!r}?" if match else f"there are {', '.join(known)}"
        raise FilterError(path, f"{struct.__name__} has no {first!r}: {hint}")
    inner = types.get(first)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        _check_names(inner, rest, path)


# -- readers ----------------------------------------------------------------------


def read_route(at: Route, name: str, operand: object, path: str) -> Filter:
    """Read the operator *name* behind a path."""
    read = _READERS.get(name)
    if read is None:
        raise FilterError(path, f"does not work on JSON: {', '.join(_READERS)} do")
    return read(at, operand, path)


def _typed(name: str) -> Callable[[Route, object, str], Filter]:
    def read(at: Route, operand: object, path: str) -> Filter:
        # None is of no type: it asks for null.
        is_none = operand is None
        subject = (
            at.read(Reading.VALUE, _ANY) if is_none else at.read_for(operand, path)
        )
        return FIELD_OPERATORS[name](subject, operand, path)

    return read


def _textual(name: str) -> Callable[[Route, object, str], Filter]:
    def read(at: Route, operand: object, path: str) -> Filter:
        return TEXT_OPERATORS[name](at.text(), operand, path)

    return read


def _one_of(at: Route, operand: object, path: str) -> Filter:
    values = listed(operand, path)
    if len(values) > MAX_VALUES:
        raise FilterError(path, f"takes at most {MAX_VALUES} values")
    parts: list[Filter] = []
    groups: dict[FieldType, tuple[Derived, list[Any]]] = {}
    for index, value in enumerate(values):
        if value is None:
            parts.append(_is_null(at))
            continue
        subject = at.read_for(value, f"{path}[{index}]")
        groups.setdefault(subject.type, (subject, []))[1].append(value)
    read = FIELD_OPERATORS["$in"]
    parts += [read(subject, group, path) for subject, group in groups.values()]
    return disjunction(parts)


def _none_of(at: Route, operand: object, path: str) -> Filter:
    return negation(_one_of(at, operand, path))


def _is_null(at: Route) -> Filter:
    return is_null(at.read(Reading.VALUE, _ANY))


def _null(at: Route, operand: object, path: str) -> Filter:
    return FIELD_OPERATORS["$null"](at.read(Reading.VALUE, _ANY), operand, path)


def _exists(at: Route, operand: object, path: str) -> Filter:
    return FIELD_OPERATORS["$exists"](at.read(Reading.ANYTHING, _ANY), operand, path)


def _has_key(at: Route, operand: object, path: str) -> Filter:
    try:
        key = _TYPES[str][1].check(operand)
    except MismatchError as error:
        raise FilterError(path, str(error)) from None
    inside = Route(at.field, (*at.steps, key))
    return negation(is_null(inside.read(Reading.ANYTHING, _ANY)))


_READERS: Final[Mapping[str, Callable[[Route, object, str], Filter]]] = {
    **{name: _typed(name) for name in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")},
    **{name: _textual(name) for name in TEXT_OPERATORS},
    "$in": _one_of,
    "$nin": _none_of,
    "$null": _null,
    "$exists": _exists,
    "$hasKey": _has_key,
}
