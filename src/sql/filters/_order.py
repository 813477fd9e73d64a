"""In which order rows come.

NULL is the least value on both databases: first when ascending, last when
descending, unless an order says where it wants NULL. The key is always the last word, so that an order is total and a
cursor knows one place in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec

from ...errors import FilterError, UnknownFieldError
from ...models import Field, Model
from .operators import is_mapping, type_name

__all__ = ["Term", "parse_order"]

_PATH: Final = "order_by"


class Term(msgspec.Struct, frozen=True, eq=False):
    """One field of an order.

    Attributes:
        field: The field.
        is_descending: Whether the greatest value comes first.
        nulls_last: Whether NULL comes last; None if nothing is said about it.
    """

    field: Field
    is_descending: bool = False
    nulls_last: bool | None = None

    @property
    def has_nulls_last(self) -> bool:
        """Whether NULL comes last: where the least value comes, if nothing is said."""
        return self.is_descending if self.nulls_last is None else self.nulls_last


_IS_DESCENDING: Final[Mapping[object, bool]] = {
    1: False,
    -1: True,
    "asc": False,
    "desc": True,
}

_IS_LAST: Final[Mapping[object, bool]] = {"first": False, "last": True}

_Named = tuple[str, bool, bool | None]
"""The name of a field, whether it descends, and whether NULL comes last."""


def parse_order(given: object, model: Model) -> tuple[Term, ...]:
    """Return the terms of an order, the key's fields appended.

    Args:
        given: ``"-age, name"``, ``["-age", "name desc"]``, ``{"age": -1}``, a list
            of such mappings, or a list of ``{"field": "age", "order": "desc"}``,
            which may have ``"nulls": "first"`` or ``"last"`` too.
        model: Whose fields are named.

    Raises:
        FilterError: Unknown field, direction or place of NULL, or a field without
            an order.
    """
    terms: dict[str, Term] = {}
    for name, is_descending, nulls_last in _named(given):
        try:
            field = model.field(name)
        except UnknownFieldError as error:
            raise FilterError(_PATH, str(error)) from error
        if field.type.is_compound:
            problem = f"{name!r} has no order: {field.type.describe()}"
            raise FilterError(_PATH, problem)
        terms.setdefault(name, Term(field, is_descending, nulls_last))
    for name in model.key:
        terms.setdefault(name, Term(model.field(name)))
    return tuple(terms.values())


def _named(given: object) -> list[_Named]:
    if given is None:
        return []
    if isinstance(given, list | tuple):
        members = cast("Sequence[object]", given)
        return [each for member in members for each in _member(member)]
    return _member(given)


def _member(given: object) -> list[_Named]:
    if isinstance(given, str):
        return [_signed(part) for part in given.split(",") if part.strip()]
    if is_mapping(given):
        return _mapped(given)
    problem = f"takes names, a list or a mapping, not {type_name(given)}"
    raise FilterError(_PATH, problem)


def _signed(part: str) -> _Named:
    name = part.strip()
    if name[:1] in {"-", "+"}:
        return name[1:].strip(), name[0] == "-", None
    first, *rest = name.split()
    if rest and rest[-1].lower() in {"asc", "desc"}:
        return " ".join((first, *rest[:-1])), rest[-1].lower() == "desc", None
    return name, False, None


def _mapped(given: Mapping[object, object]) -> list[_Named]:
    named = given.get("field")
    # A column may be called `field` too: {"field": "desc"}.
    is_pair = isinstance(named, str) and named.lower() not in _IS_DESCENDING
    if is_pair and given.keys() <= {"field", "order", "nulls"}:
        is_descending = _direction(given.get("order", "asc"))
        return [(str(named), is_descending, _place_of_null(given.get("nulls")))]
    return [(str(name), _direction(value), None) for name, value in given.items()]


def _place_of_null(value: object) -> bool | None:
    if value is None:
        return None
    if isinstance(value, str) and value.lower() in _IS_LAST:
        return _IS_LAST[value.lower()]
    raise FilterError(_PATH, "NULL comes 'first' or 'last'")


def _direction(value: object) -> bool:
    key = value.lower() if isinstance(value, str) else value
    if isinstance(key, str | int) and not isinstance(key, bool):
        is_descending = _IS_DESCENDING.get(key)
        if is_descending is not None:
            return is_descending
    raise FilterError(_PATH, "a direction is 1, -1, 'asc' or 'desc'")
