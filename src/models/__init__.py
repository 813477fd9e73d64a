"""Models: classes with annotations become values; no SQL, no I/O."""

from __future__ import annotations

from ._field import Default, Field
from ._model import Index, Model
from .declaring import (
    FieldAttribute,
    InstanceError,
    declare,
    field,
    seal,
    written_in,
)
from .types import Digits, FieldType, Kind, MismatchError, encode_json, is_template

__all__ = [
    "Default",
    "Digits",
    "Field",
    "FieldAttribute",
    "FieldType",
    "Index",
    "InstanceError",
    "Kind",
    "MismatchError",
    "Model",
    "declare",
    "encode_json",
    "field",
    "is_template",
    "seal",
    "written_in",
]
