"""JSON: what both databases hold, and the one text it is stored as.

PostgreSQL keeps a jsonb number as ``numeric``: ``1e22`` comes back as
``10000000000000000000000``, which parses as an int. Written out in full with
``.0`` behind it, a float stays one on both databases. Source: PostgreSQL, JSON
Types; measured on 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Final, cast

import msgspec

from ._check import check_float, check_int, check_str
from ._mismatch import MismatchError, mismatch

__all__ = ["JSON", "document", "encode_json", "plain_json", "structure"]

JSON: Final = "JSON (str keys; None, bool, int, float, str, list and dict inside)"

_MAX_DEPTH: Final = 100
"""Levels of nesting; SQLite's JSON functions stop at 1000, Python near there."""

_Json = Any  # one of six types, told apart at run time

_encoder: Final = msgspec.json.Encoder(order="sorted")
_EXPONENT: Final = re.compile(rb"\de\d")  # msgspec writes floats from 1e16 so
_WHOLE: Final = 1e16
_BACKSLASH: Final = ord("\\")
_MINUS: Final = ord("-")
_PLAIN_DEPTH: Final = 6
"""Levels that `plain_json` reads at once; its decoder doubles with each (6: 1.3 ms)."""


def plain_json(value: _Json) -> tuple[bytes, _Json] | None:
    """Return the stored text of *value* and a copy, or None unless both are plain.

    What is plain is written and read back by C code, and it is plain if it comes
    back equal. That takes half the time of looking at each value (19 against 44 µs
    for 120 values); whatever it does not take, `document` converts or refuses.
    """
    try:
        text = _encoder.encode(value)
        # Neither NUL nor negative zero is stored; something else may look like them.
        # One byte is found in a fifth of the time that several take.
        if (_BACKSLASH in text and b"\\u0000" in text) or (
            _MINUS in text and b"-0.0" in text
        ):
            return None
        copy = _plain_decoder()(text)
    except (
        TypeError,  # no JSON
        OverflowError,  # an int beyond 64 bits
        RecursionError,
        UnicodeEncodeError,  # a lone surrogate
        msgspec.MsgspecError,  # too deep, or a number that is not written as it is
    ):
        return None
    return (text, copy) if copy == value else None


@cache
def _plain_decoder() -> Callable[[bytes], _Json]:
    whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    broken = Annotated[float, msgspec.Meta(gt=-_WHOLE, lt=_WHOLE)]
    scalar: Any = None | bool | whole | broken | str
    plain = scalar
    for _ in range(_PLAIN_DEPTH):
        plain = scalar | GenericAlias(list, plain) | GenericAlias(dict, (str, plain))
    return msgspec.json.Decoder(plain).decode


def encode_json(value: _Json) -> str:
    """Return checked JSON as text that both databases give back exactly."""
    text = _encoder.encode(value)
    if _EXPONENT.search(text):  # a large float, or a str that looks like one
        text = _encoder.encode(_written_out(value))
    return text.decode()


def _written_out(value: _Json) -> _Json:
    kind = type(cast("object", value))
    if kind is float and abs(value) >= _WHOLE:
        return msgspec.Raw(f"{int(value)}.0".encode())
    if kind is dict:
        return {key: _written_out(inner) for key, inner in value.items()}
    if kind is list:
        return [_written_out(inner) for inner in value]
    return value


def document(root: type) -> Callable[[Any], Any]:
    """Return the check for JSON whose outermost value is a *root*."""

    def check_document(value: _Json) -> _Json:
        if not isinstance(value, (list, tuple) if root is list else root):
            raise mismatch(value, f"{root.__name__} of {JSON}")
        plain = plain_json(value)
        return _check(value, _MAX_DEPTH) if plain is None else plain[1]

    return check_document


def structure(struct: type[msgspec.Struct]) -> Callable[[Any], Any]:
    """Return the check for instances of the msgspec *struct*, or dicts like it."""
    expected = struct.__name__

    def check_structure(value: _Json) -> _Json:
        if not isinstance(value, struct | dict):
            raise mismatch(value, expected)
        came = type(value).__name__  # pyright: ignore[reportUnknownArgumentType]
        try:
            plain = _check(msgspec.to_builtins(value), _MAX_DEPTH)
            return msgspec.convert(plain, struct)
        except MismatchError as error:
            raise MismatchError(error.came, expected) from None
        except msgspec.ValidationError as error:
            # The message may hold the value; the place behind it does not.
            place = str(error).partition(" - at ")[2]
            path = place.strip("`").removeprefix("$")
            came = f"{came} that does not fit"
            raise MismatchError(came, expected, path) from None
        except (TypeError, OverflowError, RecursionError):
            came = f"{came} with values that are not JSON"
            raise MismatchError(came, expected) from None

    return check_structure


def _check(value: _Json, depth: int) -> _Json:
    if value is None or type(value) is bool:
        return value
    if isinstance(value, str):
        return check_str(value)
    if isinstance(value, int):
        return check_int(value)
    if isinstance(value, float):
        return check_float(value)
    if depth == 0:
        came = f"JSON nested over {_MAX_DEPTH} levels"
        raise MismatchError(came, JSON)
    if isinstance(value, dict):
        return _check_dict(value, depth - 1)
    if isinstance(value, list | tuple):
        return _check_list(value, depth - 1)
    raise mismatch(value, JSON)


def _check_dict(value: _Json, depth: int) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, inner in value.items():
        if not isinstance(key, str):
            came = f"{type(key).__name__} as key"
            raise MismatchError(came, JSON)
        try:
            checked[check_str(key)] = _check(inner, depth)
        except MismatchError as error:
            raise error.inside(f".{key}", JSON) from None
    return checked


def _check_list(value: _Json, depth: int) -> list[Any]:
    checked: list[Any] = []
    try:
        for inner in value:
            checked.append(_check(inner, depth))  # noqa: PERF401  # keeps the index
    except MismatchError as error:
        raise error.inside(f"[{len(checked)}]", JSON) from None
    return checked
