"""Parameters that say how a node works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from ....errors import FieldValueError
from ....models import Field, Model

__all__ = [
    "as_list",
    "came",
    "choice",
    "flag",
    "is_mapping",
    "maybe_flag",
    "single_fields",
    "whole_number",
]


def came(value: object) -> str:
    """Describe a value by its type, for an error."""
    return "None" if value is None else type(value).__name__


def as_list(value: object) -> Sequence[object] | None:
    """Return *value* if it is a list or a tuple."""
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    return None


def is_mapping(value: object) -> TypeGuard[Mapping[object, Any]]:
    """Whether *value* is a mapping."""
    return isinstance(value, Mapping)


def flag(parameters: dict[str, Any], name: str, owner: str, *, default: bool) -> bool:
    """Take a parameter that is True or False."""
    value = parameters.pop(name, default)
    if not isinstance(value, bool):
        raise FieldValueError(owner, name, came(value), "True or False")
    return value


def maybe_flag(parameters: dict[str, Any], name: str, owner: str) -> bool | None:
    """Take a parameter that is True or False, or None where nothing is said."""
    if parameters.get(name) is None:
        parameters.pop(name, None)
        return None
    return flag(parameters, name, owner, default=False)


def single_fields(
    model: Model, names: Sequence[object], owner: str, parameter: str
) -> tuple[Field, ...]:
    """Return fields by their names, each once; one of many values is refused.

    Raises:
        UnknownFieldError: There is none of a name.
        FieldValueError: One holds lists or JSON, which are not compared as a whole.
    """
    fields = {name: model.field(name, owner) for name in map(str, names)}
    for name, field in fields.items():
        if field.type.is_compound:
            problem = f"{name!r}, which is {field.type.describe()}"
            expected = "fields of single values"
            raise FieldValueError(owner, parameter, problem, expected)
    return tuple(fields.values())


def whole_number(
    parameters: dict[str, Any], name: str, owner: str, *, default: int, least: int
) -> int:
    """Take a parameter that is a whole number of at least *least*."""
    value = parameters.pop(name, default)
    if type(value) is int and least <= value < 2**63:
        return value
    expected = f"a whole number of at least {least}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldValueError(owner, name, came(value), expected)
    if not least <= value < 2**63:
        size = "a smaller one" if value < least else "one of more than 64 bits"
        raise FieldValueError(owner, name, size, expected)
    return value


def choice(
    parameters: dict[str, Any], name: str, owner: str, choices: tuple[str, ...]
) -> str:
    """Take a parameter that is one of *choices*; the first is the default."""
    value = parameters.pop(name, choices[0])
    if not isinstance(value, str) or value not in choices:
        given = repr(value) if isinstance(value, str) else came(value)
        raise FieldValueError(owner, name, given, f"one of {', '.join(choices)}")
    return value
