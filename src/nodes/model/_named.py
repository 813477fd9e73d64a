"""Which fields the parameters of a message name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models import Model
from ._options import is_mapping

__all__ = ["named_fields"]


def named_fields(model: Model, parameters: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of *model* that a sender names, itself or one level down.

    A node stores only what is named so, and what the model says beside it: defaults
    and times. Rows of bulk nodes are looked at as they are read.
    """
    names = set(parameters)
    for value in parameters.values():
        if is_mapping(value):
            names.update(name for name in value if isinstance(name, str))
    return frozenset(names.intersection(model.names))
