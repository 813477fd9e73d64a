"""Models: classes with annotations become values; no SQL, no I/O."""

from __future__ import annotations

from ._field import Default, Field, Marks
from ._model import Index, Model
from .declaring import InstanceError, declare, field, seal
from .types import Digits, FieldType, Kind, MismatchError, encode_json, is_template

__all__ = [
    "Default",
    "Digits",
    "Field",
    "FieldType",
    "Index",
    "InstanceError",
    "Kind",
    "Marks",
    "MismatchError",
    "Model",
    "declare",
    "encode_json",
    "field",
    "is_template",
    "seal",
]
