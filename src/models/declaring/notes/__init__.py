"""What is written beside a field: its default, whom it tells of, which row it refers to."""

from __future__ import annotations

from ._attribute import FieldAttribute, written_in
from ._pii import PII, find_pii
from ._references import References, find_references
from ._seal import InstanceError, seal
from ._specifier import Specifier, field, read_specifier

__all__ = [
    "PII",
    "FieldAttribute",
    "InstanceError",
    "References",
    "Specifier",
    "field",
    "find_pii",
    "find_references",
    "read_specifier",
    "seal",
    "written_in",
]
