"""JSON in one pass where it is plain, which most of it is."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign
from typing import Any, Final

import msgspec

__all__ = ["plain_json"]

_MAX_DEPTH: Final = 100  # as `document` checks
_WHOLE: Final = 1e16  # from here on a float is written in another way
_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63 - 1

_encoder: Final = msgspec.json.Encoder(order="sorted")


def plain_json(value: object) -> bytes | None:
    """Return the text of *value*, or None unless it is in its normal form already.

    What it does not take goes to the check of its field, which converts or refuses
    it: it takes a third of the time that checking and encoding take.
    """
    if not _is_plain(value, _MAX_DEPTH):
        return None
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return None


def _is_plain(value: Any, depth: int) -> bool:  # noqa: ANN401  any may come
    """Whether a container holds what JSON does, in its normal form, to the bottom."""
    if depth == 0:
        return False
    kind: Any = value.__class__  # `type` would narrow what follows
    if kind is dict:
        if not all(type(key) is str and "\0" not in key for key in value):
            return False
        value = value.values()
    elif kind is not list:
        return False
    for each in value:
        check = _CHECKS.get(each.__class__)
        if check is None:
            if not _is_plain(each, depth - 1):
                return False
        elif not check(each):
            return False
    return True


def _is_plain_float(value: float) -> bool:
    """Whether it is neither NaN, infinite nor huge, and no negative zero."""
    return -_WHOLE < value < _WHOLE and (value != 0.0 or copysign(1, value) > 0)


_CHECKS: Final[dict[type, Callable[[Any], bool]]] = {
    str: lambda value: "\0" not in value,
    int: lambda value: _MIN_INT <= value <= _MAX_INT,
    float: _is_plain_float,
    bool: lambda _: True,
    type(None): lambda _: True,
}
