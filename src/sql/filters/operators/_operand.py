"""Operands as users write them: their shapes, and the check of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard, cast

from ....errors import FilterError, nearest
from ....models import MismatchError
from .._filter import Filter, Subject

__all__ = [
    "Reader",
    "checked",
    "is_mapping",
    "listed",
    "type_name",
    "unknown_operator",
]

Reader = Callable[[Subject, object, str], Filter]
"""Makes a tree of what is asked of, the operand and the path of the operator."""


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether *value* holds other values by name."""
    return type(value) is dict or isinstance(value, Mapping)


def listed(value: object, path: str) -> list[object]:
    """Return the values of a list, tuple or set; anything else is refused."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(cast("Sequence[object]", value))
    raise FilterError(path, f"takes a list, not {type_name(value)}")


def type_name(value: object) -> str:
    """Name what came, without the value itself."""
    return "None" if value is None else type(value).__name__


def unknown_operator(name: str, known: Sequence[str]) -> str:
    """Say that there is no operator *name*, and which was probably meant."""
    match = nearest(name, known)
    hint = f"did you mean {match!r}?" if match else f"there are {', '.join(known)}"
    return f"unknown operator {name!r}: {hint}"


def checked(field: Subject, value: object, path: str) -> Any:  # noqa: ANN401  # its type's
    """Return *value* in the normal form of the field's type."""
    try:
        return field.type.check(value)
    except MismatchError as error:
        raise FilterError(path, str(error)) from None
