"""Values out of JSON on SQLite, exactly: a function that its driver offers.

SQLite's own `json_extract` reads a number to fifteen digits, takes steps apart in a
language of its own and does not tell `true` from 1. This one reads what the room
wrote.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from ._filter import Reading

__all__ = ["BYTES", "json_at", "value_at"]

BYTES: Final = "bytes"
"""Reads what a list of bytes has in it: base64."""

_STEPS_CACHED: Final = 256

_DOCUMENTS_CACHED: Final = 4
"""A filter asks several things of one row, and several threads ask."""

_MAX_INT: Final = 2**63 - 1
_MISSING: Final = object()


def json_at(document: str | None, steps: str, reading: str) -> Any:  # noqa: ANN401  # what SQLite stores
    """Return a value in JSON; None where there is none, or one of another type.

    Args:
        document: The JSON, as it is stored.
        steps: A JSON list of keys and indexes.
        reading: A `Reading`, or `BYTES`.
    """
    if document is None:
        return None
    try:
        value = _parsed(document)
    except msgspec.DecodeError:  # written by another hand
        return None
    return _AS[reading](_walk(value, _steps(steps)))


def value_at(value: object, steps: Sequence[str | int], reading: Reading) -> Any:  # noqa: ANN401  # what SQLite stores
    """Return the same out of JSON that is parsed."""
    return _AS[reading](_walk(value, steps))


@lru_cache(_DOCUMENTS_CACHED)
def _parsed(document: str) -> object:
    """Return the JSON of *document*, which nobody changes."""
    return msgspec.json.decode(document)


@lru_cache(_STEPS_CACHED)
def _steps(text: str) -> tuple[str | int, ...]:
    return tuple(msgspec.json.decode(text, type=list[str | int]))


def _walk(value: object, steps: Sequence[str | int]) -> object:
    for step in steps:
        if isinstance(value, dict):
            value = cast("Mapping[str, object]", value).get(str(step), _MISSING)
        elif isinstance(value, list) and isinstance(step, int):
            elements = cast("Sequence[object]", value)
            value = elements[step] if step < len(elements) else _MISSING
        else:
            return _MISSING
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Nobody but another hand wrote an int that SQLite has no room for.
    return value if -_MAX_INT - 1 <= value <= _MAX_INT else float(value)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _value(value: object) -> bool | None:
    return None if value is None or value is _MISSING else True


def _anything(value: object) -> bool | None:
    return None if value is _MISSING else True


def _size(value: object) -> int | None:
    return len(cast("Sequence[object]", value)) if isinstance(value, list) else None


def _bytes(value: object) -> bytes | None:
    return b64decode(value) if isinstance(value, str) else None


_AS: Final[Mapping[str, Callable[[object], Any]]] = {
    Reading.TEXT: _text,
    Reading.NUMBER: _number,
    Reading.FLAG: _flag,
    Reading.VALUE: _value,
    Reading.ANYTHING: _anything,
    Reading.SIZE: _size,
    BYTES: _bytes,
}
