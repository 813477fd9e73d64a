"""Declaring: a class with annotations is read and becomes a model."""

from __future__ import annotations

from ._declare import declare
from ._tenancy import TENANT
from .notes import (
    PII,
    FieldAttribute,
    InstanceError,
    References,
    field,
    seal,
    written_in,
)

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
