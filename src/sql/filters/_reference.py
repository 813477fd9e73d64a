"""How a statement refers to the columns of a model, decided once per database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from ...models import FieldType, Kind, Model
from .._codec import Convert, codec
from .._column import is_scaled
from .._dialect import POSTGRESQL, Dialect
from .operators import BOUND, COLLATED

__all__ = ["Reference", "aliased", "reference", "references"]

_CACHED: Final = 512
"""Tables under an alias whose columns are kept."""


class Reference(msgspec.Struct, frozen=True, eq=False):
    """How a statement refers to one column.

    Attributes:
        name: The quoted name.
        qualified: The same behind the table's.
        elements: Stands for the elements of a list that are looked at one by one.
        equal: The column as it is compared for equality.
        ordered: The column as it is ordered: text by code point, decimals by value.
        encode: Makes what the client takes of a value; None when it passes as it is.
        is_in_json: Whether many values travel in one parameter, as JSON.
    """

    name: str
    qualified: str
    elements: str
    equal: str
    ordered: str
    encode: Convert | None
    is_in_json: bool


@lru_cache(_CACHED)
def aliased(model: Model, dialect: Dialect, alias: str) -> Mapping[str, Reference]:
    """Return the same for a table that is called *alias* in a statement."""
    table, elements = dialect.quote(alias), dialect.quote("$each")
    named = ((f, f"{table}.{dialect.quote(f.name)}") for f in model.fields)
    return {
        field.name: reference(
            name, field.type, dialect, qualified=name, elements=elements
        )
        for field, name in named
    }


def references(model: Model, dialect: Dialect) -> Mapping[str, Reference]:
    """Return the reference to each column of *model*, by the field's name."""
    table = dialect.quote(model.table)
    # Columns of json_each would hide those of a table with the same name.
    elements = dialect.quote("$each" if model.table != "$each" else "$every")
    return {
        field.name: reference(
            dialect.quote(field.name),
            field.type,
            dialect,
            qualified=f"{table}.{dialect.quote(field.name)}",
            elements=elements,
        )
        for field in model.fields
    }


def reference(
    name: str,
    type_: FieldType,
    dialect: Dialect,
    *,
    qualified: str = "",
    elements: str = "",
) -> Reference:
    """Return the reference to *name*, a column or a value, of a type.

    Args:
        name: How it is written.
        type_: What it holds.
        dialect: In which SQL.
        qualified: How a column is written where other tables are.
        elements: What stands for the elements of a list.
    """
    encode = codec(type_, dialect).encode
    if dialect is POSTGRESQL:
        if type_.column == "json":
            # It has no equality of its own.
            name = f"{name}::jsonb"
        # Equality is the same under every collation a column can have.
        is_text = type_.stored_kind is Kind.STR
        is_collated = is_text and (type_.column is None or type_.column in COLLATED)
        ordered = f"{name}{dialect.code_point_order}" if is_collated else name
        # Enums and addresses have an order of their own, and no patterns.
        text = f"{name}::text" if is_text and not is_collated else name
        return Reference(
            text, qualified, elements, name, ordered, encode, is_in_json=False
        )
    # The driver's collation: 1.50 is 1.5, and 10 comes after 9.
    is_decimal_text = type_.kind is Kind.DECIMAL and not is_scaled(type_)
    compared = f"{name} COLLATE DECIMAL" if is_decimal_text else name
    is_in_json = type_.stored_kind not in BOUND
    return Reference(
        name, qualified, elements, compared, compared, encode, is_in_json=is_in_json
    )
