"""Models: classes with annotations become values; no SQL, no I/O."""

from __future__ import annotations

from ._declare import declare
from ._digits import Digits
from ._field import Default, Field
from ._json import encode_json
from ._kind import Kind
from ._mismatch import MismatchError, is_template
from ._model import Index, Model
from ._seal import InstanceError, seal
from ._specifier import field
from ._type import FieldType

__all__ = [
    "Default",
    "Digits",
    "Field",
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
]
