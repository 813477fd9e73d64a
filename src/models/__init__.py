"""Models: classes with annotations become values; no SQL, no I/O."""

from __future__ import annotations

from ._family import Family
from ._field import Default, Field, Marks
from ._foreign_key import Action, ForeignKey
from ._model import Index, Model, Relation
from ._privacy import Privacy, Retention
from ._schema_family import SchemaFamily
from ._snake_case import snake_case
from .declaring import (
    PII,
    TENANT,
    FieldAttribute,
    InstanceError,
    References,
    declare,
    field,
    seal,
    written_in,
)
from .types import (
    SCALARS,
    Digits,
    FieldType,
    Kind,
    MismatchError,
    NaiveDatetime,
    Native,
    encode_json,
    is_template,
    plain_json,
)

__all__ = [
    "PII",
    "SCALARS",
    "TENANT",
    "Action",
    "Default",
    "Digits",
    "Family",
    "Field",
    "FieldAttribute",
    "FieldType",
    "ForeignKey",
    "Index",
    "InstanceError",
    "Kind",
    "Marks",
    "MismatchError",
    "Model",
    "NaiveDatetime",
    "Native",
    "Privacy",
    "References",
    "Relation",
    "Retention",
    "SchemaFamily",
    "declare",
    "encode_json",
    "field",
    "is_template",
    "plain_json",
    "seal",
    "snake_case",
    "written_in",
]
