"""In which order rows come.

NULL is the least value on both databases: first when ascending, last when
descending. The key is always the last word, so that an order is total and a
cursor knows one place in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec

from ...errors import FilterError, UnknownFieldError
from ...models import Field, Model
from ._operand import is_mapping, type_name

__all__ = ["Term", "parse_order"]

_PATH: Final = "order_by"


class Term(msgspec.Struct, frozen=True, eq=False):
    """One field of an order."""

    field: Field
    is_descending: bool = False


_IS_DESCENDING: Final[Mapping[object, bool]] = {
    1: False,
    -1: True,
    "asc": False,
    "desc": True,
}


def parse_order(given: object, model: Model) -> tuple[Term, ...]:
    """Return the terms of an order, the key's fields appended.

    Args:
        given: ``"-age, name"``, ``["-age", "name desc"]``, ``{"age": -1}``, a list
            of such mappings, or a list of ``{"field": "age", "order": "desc"}``.
        model: Whose fields are named.

    Raises:
        FilterError: Unknown field or direction, or a field without an order.
    """
    terms: dict[str, Term] = {}
    for name, is_descending in _named(given):
        try:
            field = model.field(name)
        except UnknownFieldError as error:
            raise FilterError(_PATH, str(error)) from error
        if field.type.is_compound:
            problem = f"{name!r} has no order: {field.type.describe()}"
            raise FilterError(_PATH, problem)
        terms.setdefault(name, Term(field, is_descending))
    for name in model.key:
        terms.setdefault(name, Term(model.field(name)))
    return tuple(terms.values())


def _named(given: object) -> list[tuple[str, bool]]:
    if given is None:
        return []
    if isinstance(given, list | tuple):
        members = cast("Sequence[object]", given)
        return [pair for member in members for pair in _member(member)]
    return _member(given)


def _member(given: object) -> list[tuple[str, bool]]:
    if isinstance(given, str):
        return [_signed(part) for part in given.split(",") if part.strip()]
    if is_mapping(given):
        return _mapped(given)
    problem = f"takes names, a list or a mapping, not {type_name(given)}"
    raise FilterError(_PATH, problem)


def _signed(part: str) -> tuple[str, bool]:
    name = part.strip()
    if name[:1] in {"-", "+"}:
        return name[1:].strip(), name[0] == "-"
    first, *rest = name.split()
    if rest and rest[-1].lower() in {"asc", "desc"}:
        return " ".join((first, *rest[:-1])), rest[-1].lower() == "desc"
    return name, False


def _mapped(given: Mapping[object, object]) -> list[tuple[str, bool]]:
    named = given.get("field")
    # A column may be called `field` too: {"field": "desc"}.
    is_pair = isinstance(named, str) and named.lower() not in _IS_DESCENDING
    if is_pair and given.keys() <= {"field", "order"}:
        return [(str(named), _direction(given.get("order", "asc")))]
    return [(str(name), _direction(value)) for name, value in given.items()]


def _direction(value: object) -> bool:
    key = value.lower() if isinstance(value, str) else value
    if isinstance(key, str | int) and not isinstance(key, bool):
        is_descending = _IS_DESCENDING.get(key)
        if is_descending is not None:
            return is_descending
    raise FilterError(_PATH, "a direction is 1, -1, 'asc' or 'desc'")
