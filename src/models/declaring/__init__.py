"""Declaring: a class with annotations is read and becomes a model."""

from __future__ import annotations

from ._attribute import FieldAttribute, written_in
from ._declare import declare
from ._pii import PII
from ._references import References
from ._seal import InstanceError, seal
from ._specifier import field
from ._tenancy import TENANT

__all__ = [
    "PII",
    "TENANT",
    "FieldAttribute",
    "InstanceError",
    "References",
    "declare",
    "field",
    "seal",
    "written_in",
]
