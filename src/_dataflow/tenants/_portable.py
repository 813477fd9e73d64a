"""Rows as JSON that any database, and any other program, can read.

A value is what it is in JSON, or else text: times and durations as in ISO 8601, decimals
and UUIDs in their usual form, bytes in Base64. Whose a row is stands in the manifest, not
in the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from ...models import Field, FieldType, Kind, Model

__all__ = ["line_of", "ported_fields", "row_of", "shape", "signature"]


def ported_fields(model: Model) -> tuple[Field, ...]:
    """Return the fields of which an export holds the values."""
    return tuple(
        each
        for each in model.fields
        if each.name != model.tenant_field and not each.is_computed
    )


def shape(model: Model) -> list[dict[str, Any]]:
    """Return what the fields of an export are."""
    return [
        {
            "name": each.name,
            "type": each.type.describe(),
            "nullable": each.is_nullable,
            "key": each.name in model.key,
        }
        for each in ported_fields(model)
    ]


def signature(fields: list[dict[str, Any]]) -> str:
    """Return what tells fields from others: SHA-256 in hexadecimal."""
    named = sorted(fields, key=lambda each: str(each["name"]))
    return sha256(msgspec.json.encode(named, order="sorted")).hexdigest()


def line_of(fields: tuple[Field, ...], row: Mapping[str, Any]) -> bytes:
    """Return a row as a line."""
    return msgspec.json.encode({each.name: row[each.name] for each in fields}) + b"\n"


def row_of(fields: Mapping[str, Field], line: bytes) -> dict[str, Any]:
    """Return the row of a line.

    Raises:
        ValueError: It is none; so is a `msgspec.MsgspecError`.
        KeyError: A field is not known.
    """
    values = msgspec.json.decode(line, type=dict[str, Any])
    return {name: _read(fields[name].type, value) for name, value in values.items()}


def _read(type_: FieldType, value: Any) -> Any:  # noqa: ANN401  # whatever it holds
    if value is None or type_.kind in {Kind.JSON, Kind.LITERAL}:
        return value
    if type_.element is not None:
        return [_read(type_.element, each) for each in value]
    if type_.kind is Kind.ENUM:
        return type_.stored_choices[value]
    return msgspec.convert(value, type_.python_type)
