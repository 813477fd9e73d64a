"""The fields that say when a row was deleted, and how often it was changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from ...errors import ModelError
from .._field import Default, Field
from ..types._kind import Kind
from ..types._type import FieldType
from ._options import Options

__all__ = ["DELETED", "VERSION", "with_life"]

DELETED: Final = "deleted_at"
VERSION: Final = "version"

_FIRST: Final = 1
"""The version of a new row."""


def with_life(
    model: str, fields: Mapping[str, Field], options: Options
) -> dict[str, Field]:
    """Return *fields* with those that nodes write for the options.

    Raises:
        ModelError: A field of that name is something else, or part of the key.
    """
    fields = dict(fields)
    if options.keeps_deleted:
        type_ = FieldType(Kind.DATETIME, datetime)
        fields[DELETED] = _owned(
            model, fields.get(DELETED), DELETED, type_, "soft_delete"
        )
        fields[DELETED] = replace(fields[DELETED], is_nullable=True, default=Default())
    if options.is_versioned:
        type_ = FieldType(Kind.INT, int)
        fields[VERSION] = _owned(
            model, fields.get(VERSION), VERSION, type_, "versioned"
        )
        fields[VERSION] = replace(
            fields[VERSION], is_nullable=False, default=Default(_FIRST)
        )
    return fields


def _owned(
    model: str, field: Field | None, name: str, type_: FieldType, option: str
) -> Field:
    if field is None:
        return Field(model=model, name=name, type=type_, is_managed=True)
    if field.type.kind is not type_.kind or field.is_key:
        what = "a key" if field.is_key else field.describe()
        problem = f"{option}=True makes it {type_.describe()}, not {what}"
        raise ModelError(model, name, problem)
    return replace(field, is_managed=True)
