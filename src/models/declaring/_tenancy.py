"""The field that says to which tenant a row belongs.

Rules of this file: the field is never part of what users write as a key or as unique;
it is part of each of them in the database, by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ...errors import ModelError
from .._field import Field
from .._model import Index
from ..types._kind import Kind
from ..types._type import FieldType

__all__ = ["TENANT", "refuse_in_key", "with_tenant", "without_tenant"]

TENANT: Final = "tenant_id"

_TYPE: Final = FieldType(Kind.STR, str)


def with_tenant(model: str, fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return *fields* with the tenant among them, which nodes set, not the caller.

    Raises:
        ModelError: It is declared as something else than text.
    """
    field = fields.get(TENANT)
    if field is None:
        field = Field(model=model, name=TENANT, type=_TYPE)
    elif field.type.kind is not Kind.STR or field.is_nullable:
        problem = f"multi_tenant=True makes it a str, not {field.describe()}"
        raise ModelError(model, TENANT, problem)
    managed = msgspec.structs.replace(field, is_managed=True, default=None)
    return {**fields, TENANT: managed}


def refuse_in_key(model: str, key: tuple[str, ...]) -> None:
    """Check that the key is what tells rows of one tenant apart.

    Raises:
        ModelError: The tenant is named in it.
    """
    if TENANT in key:
        problem = "with multi_tenant=True every key has it by itself: leave it out"
        raise ModelError(model, TENANT, problem)


def without_tenant(
    model: str,
    indexes: tuple[Index, ...],
    uniques: tuple[tuple[str, ...], ...],
) -> tuple[tuple[Index, ...], tuple[tuple[str, ...], ...]]:
    """Return unique groups as they are for one tenant.

    Raises:
        ModelError: Nothing is left of one.
    """
    groups = tuple(dict.fromkeys(_stripped(model, each) for each in uniques))
    stripped = tuple(
        msgspec.structs.replace(each, fields=_stripped(model, each.fields))
        if each.is_unique
        else each
        for each in indexes
    )
    return stripped, groups


def _stripped(model: str, group: tuple[str, ...]) -> tuple[str, ...]:
    left = tuple(name for name in group if name != TENANT)
    if not left:
        problem = (
            "a tenant with one row at most cannot be declared by it alone: add a key "
            "of your own that is always the same"
        )
        raise ModelError(model, TENANT, problem)
    return left
