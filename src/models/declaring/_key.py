"""Which fields are the key, and who makes its values.

Rules of this file: every model has a key; an ``id: int`` that nobody gives is
made by the database, and so is any single int key declared with ``= None``, unless
``generated=False`` is said; any other key must be given or have a factory; a key is
never None.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from ...errors import ModelError
from .._field import Field
from ..types._kind import Kind
from ..types._type import FieldType

__all__ = ["with_key"]


def with_key(
    model: str,
    fields: dict[str, Field],
    declared: tuple[str, ...],
    given: Collection[str] = (),
) -> tuple[dict[str, Field], tuple[str, ...]]:
    """Return the fields with their key among them, and the names of the key.

    Args:
        model: Name of the model.
        fields: The declared fields, by name.
        declared: Names of the fields declared to be the key; maybe none.
        given: Names of fields whose values the database does not make.

    Raises:
        ModelError: A key field cannot be one.
    """
    if not declared and "id" not in fields:
        fields = {"id": Field(model=model, name="id", type=_INT), **fields}
    key = declared or ("id",)
    is_alone = len(key) == 1
    made = {
        name: _key_field(fields[name], is_alone=is_alone, is_given=name in given)
        for name in key
    }
    return {**fields, **made}, key


_INT = FieldType(Kind.INT, int)


def _key_field(field: Field, *, is_alone: bool, is_given: bool) -> Field:
    if field.type.is_compound or field.type.kind is Kind.FLOAT:
        problem = f"{field.type.describe()} cannot be a key: use int, str or UUID"
        raise ModelError(field.model, field.name, problem)
    if field.marks.mask is not None:
        problem = "a key cannot be masked: pages and changes go by it"
        raise ModelError(field.model, field.name, problem)
    if is_alone and not is_given and _is_generated(field):
        return msgspec.structs.replace(
            field, is_key=True, is_generated=True, is_nullable=False, default=None
        )
    if field.is_nullable:
        problem = (
            "a key is never None: declare it without None, and with "
            "field(default_factory=...) if a create need not give it"
        )
        raise ModelError(field.model, field.name, problem)
    if is_alone and field.default is not None and field.default.factory is None:
        problem = (
            "with a constant default every row would have the same key: use "
            "field(default_factory=...), or no default"
        )
        raise ModelError(field.model, field.name, problem)
    return msgspec.structs.replace(field, is_key=True)


def _is_generated(field: Field) -> bool:
    if field.type.kind is not Kind.INT:
        return False
    if field.default is None:
        return field.name == "id"
    return field.default.is_none
