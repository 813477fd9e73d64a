"""Parameters that several kinds of nodes share."""

from __future__ import annotations

from typing import Any

from ..errors import FieldValueError
from ..models import Model
from ._key import KEY_NAMES
from ._model_node import field_port
from ._node import Port

__all__ = ["choice", "flag", "target_ports", "whole_number"]


def target_ports(model: Model) -> list[Port]:
    """Return the ports that say which row is meant."""
    key_type: Any = Any
    if len(model.key) == 1:
        key_type = field_port(model.field(model.key[0])).type
    keys = [Port(name, key_type) for name in KEY_NAMES if name not in model.key]
    own = [field_port(model.field(name)) for name in model.key]
    return [*keys, *own, Port("filter", dict), Port("conditions", dict)]


def flag(
    parameters: dict[str, Any], name: str, owner: str, *, default: bool
) -> bool:
    """Take a parameter that is True or False."""
    value = parameters.pop(name, default)
    if not isinstance(value, bool):
        came = "None" if value is None else type(value).__name__
        raise FieldValueError(owner, name, came, "True or False")
    return value


def whole_number(
    parameters: dict[str, Any], name: str, owner: str, *, default: int, least: int
) -> int:
    """Take a parameter that is a whole number of at least *least*."""
    value = parameters.pop(name, default)
    expected = f"a whole number of at least {least}"
    if isinstance(value, bool) or not isinstance(value, int):
        came = "None" if value is None else type(value).__name__
        raise FieldValueError(owner, name, came, expected)
    if not least <= value < 2**63:
        came = "a smaller one" if value < least else "more than 64 bits"
        raise FieldValueError(owner, name, came, expected)
    return value


def choice(
    parameters: dict[str, Any], name: str, owner: str, choices: tuple[str, ...]
) -> str:
    """Take a parameter that is one of *choices*; the first is the default."""
    value = parameters.pop(name, choices[0])
    if value not in choices:
        came = repr(value) if isinstance(value, str) else type(value).__name__
        raise FieldValueError(owner, name, came, f"one of {', '.join(choices)}")
    return str(value)
