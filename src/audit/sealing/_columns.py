"""The columns of a record: the values of many rows, in order or by place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar, cast

import msgspec

from ...models import Kind, Model
from ...sql import Dialect
from .._values import revived

__all__ = ["Side", "places_of", "read_side", "rows_of"]

Side: TypeAlias = dict[str, msgspec.Raw]

_SIDE: Final = msgspec.json.Decoder(Side)
_COLUMN: Final = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
_VALUES: Final = msgspec.json.Decoder(float_hook=Decimal)
_SAME: Final = frozenset({Kind.INT, Kind.STR})
"""Kinds whose values JSON has as they are."""


T = TypeVar("T")

_Column: TypeAlias = list[T] | dict[str, T]


def read_side(text: str) -> Side:
    """Return the columns of one side of a record, each as it is written."""
    return _SIDE.decode(text)


def places_of(column: msgspec.Raw) -> dict[int, bytes]:
    """Return the values of a column by place, each as it is written."""
    found = cast("_Column[msgspec.Raw]", _COLUMN.decode(column))
    return {int(place): bytes(value) for place, value in _pairs(found)}


def _values_of(
    model: Model, name: str, column: msgspec.Raw, dialect: Dialect
) -> dict[int, Any]:
    """Return the values of a column by place, as their field has them."""
    pairs = _pairs(cast("_Column[Any]", _VALUES.decode(column)))
    field = model.field(name)
    if field.type.stored_kind in _SAME and field.type.kind in _SAME:
        return {int(place): value for place, value in pairs}
    return {int(place): revived(field, value, dialect) for place, value in pairs}


def _pairs(column: _Column[T]) -> Iterable[tuple[int | str, T]]:
    return enumerate(column) if isinstance(column, list) else column.items()


def rows_of(
    model: Model, side: str | Side, names: Sequence[str], dialect: Dialect
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the places of rows, and the values of these fields, where it has all."""
    columns = read_side(side) if isinstance(side, str) else side
    if not {*names} <= {*columns}:
        return
    values = {name: _values_of(model, name, columns[name], dialect) for name in names}
    for place in values[names[0]]:
        if all(place in each for each in values.values()):
            yield place, {name: values[name][place] for name in names}
