"""Types of fields, and the checks of their values."""

from __future__ import annotations

from ._digits import Digits
from ._json import encode_json, plain_json
from ._kind import SCALARS, Kind
from ._mismatch import MismatchError, is_template
from ._native import NaiveDatetime, Native, WithoutTimezone
from ._type import FieldType

__all__ = [
    "SCALARS",
    "Digits",
    "FieldType",
    "Kind",
    "MismatchError",
    "NaiveDatetime",
    "Native",
    "WithoutTimezone",
    "encode_json",
    "is_template",
    "plain_json",
]
