"""Dotted outputs: which part of a node's result a connection carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from ...errors import UnknownFieldError

__all__ = ["pick", "split"]

_ABSENT: Final = object()


def split(output: str) -> tuple[str, ...]:
    """Return the steps of an output such as ``records.0.id``."""
    return tuple(output.split("."))


def pick(result: object, path: Sequence[str], owner: str) -> Any:  # noqa: ANN401  # results are the users'
    """Return what *path* leads to: keys, fields of Structs, and positions in lists.

    Args:
        result: What the node replied.
        path: At least one step; a negative position counts from the end.
        owner: Id of the node, for the error.

    Raises:
        UnknownFieldError: The result ends before the path does; says where, and
            what is there.
    """
    value = result
    for depth, step in enumerate(path):
        found = _step(value, step)
        if found is _ABSENT:
            place = ".".join((owner, *path[:depth]))
            raise UnknownFieldError(place, step, _known(value))
        value = found
    return value


def _step(value: object, step: str) -> object:
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).get(step, _ABSENT)
    if isinstance(value, msgspec.Struct):
        return getattr(value, step) if step in value.__struct_fields__ else _ABSENT
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = cast("Sequence[object]", value)
        position = int(step) if step.removeprefix("-").isdecimal() else len(items)
        return items[position] if -len(items) <= position < len(items) else _ABSENT
    return _ABSENT


def _known(value: object) -> tuple[str, ...]:
    """Say what steps *value* has."""
    if isinstance(value, Mapping):
        return tuple(map(str, cast("Mapping[object, object]", value)))
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        last = len(cast("Sequence[object]", value)) - 1
        return () if last < 0 else (f"0 to {last}",)
    return ()
