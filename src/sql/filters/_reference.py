"""How a statement refers to the columns of a model, decided once per database."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ...models import Field, Kind, Model
from .._codec import Convert, codec
from .._column import is_scaled
from .._dialect import POSTGRESQL, Dialect
from ._operators import BOUND

__all__ = ["Reference", "references"]


class Reference(msgspec.Struct, frozen=True, eq=False):
    """How a statement refers to one column.

    Attributes:
        name: The quoted name.
        equal: The column as it is compared for equality.
        ordered: The column as it is ordered: text by code point, decimals by value.
        encode: Makes what the client takes of a value; None when it passes as it is.
        is_in_json: Whether many values travel in one parameter, as JSON.
    """

    name: str
    equal: str
    ordered: str
    encode: Convert | None
    is_in_json: bool


def references(model: Model, dialect: Dialect) -> Mapping[str, Reference]:
    """Return the reference to each column of *model*, by the field's name."""
    return {field.name: _reference(field, dialect) for field in model.fields}


def _reference(field: Field, dialect: Dialect) -> Reference:
    name = dialect.quote(field.name)
    encode = codec(field.type, dialect).encode
    if dialect is POSTGRESQL:
        # Equality is the same under every collation a column can have.
        is_text = field.type.stored_kind is Kind.STR
        ordered = f"{name}{dialect.code_point_order}" if is_text else name
        return Reference(name, name, ordered, encode, is_in_json=False)
    # The driver's collation: 1.50 is 1.5, and 10 comes after 9.
    is_decimal_text = field.type.kind is Kind.DECIMAL and not is_scaled(field.type)
    compared = f"{name} COLLATE DECIMAL" if is_decimal_text else name
    is_in_json = field.type.stored_kind not in BOUND
    return Reference(name, compared, compared, encode, is_in_json=is_in_json)
