"""Which fields a message names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....messages import Operation, Request
from ....models import Model
from ._options import is_mapping

__all__ = ["named_fields"]


def named_fields(model: Model, message: Request) -> frozenset[str]:
    """Return the fields of *model* that a sender names, itself or one level down.

    A node stores only what is named so, and what the model says beside it: defaults
    and times. Rows of bulk nodes are looked at as they are read. Who restores a row
    means its time of deletion.
    """
    parameters: Mapping[str, Any] = message.parameters
    names = set(parameters)
    for value in parameters.values():
        if is_mapping(value):
            names.update(name for name in value if isinstance(name, str))
    if message.operation is Operation.RESTORE and model.deleted_field is not None:
        names.add(model.deleted_field)
    return frozenset(names.intersection(model.names))
