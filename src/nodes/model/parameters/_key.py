"""Keys of rows: given by users, looked for, given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....drivers import Row
from ....errors import FieldValueError
from ....models import Model
from ....sql import And, Compare, Comparison, Filter, RowCodec, Table
from ._options import as_list, came, is_mapping

__all__ = ["PLAIN", "key_decoder", "key_filter", "key_of", "key_value", "read_key"]


PLAIN: Final = frozenset({int, str})
"""Types that are no mapping; asking the abstract class costs 0.4 µs."""


def read_key(model: Model, value: object, owner: str, name: str) -> dict[str, Any]:
    """Return the key's values by name, checked.

    Args:
        model: Whose key.
        value: One value; for a composite key a mapping, or the values in order.
        owner: What errors call the node.
        name: The parameter it came by.

    Raises:
        FieldValueError: It is no key of this model.
    """
    if len(model.key) == 1 and (type(value) in PLAIN or not is_mapping(value)):
        return {model.key[0]: model.field(model.key[0]).check(value, owner)}
    given = _by_name(model, value)
    if given is None or set(given) != set(model.key):
        expected = f"a key of {', '.join(model.key)}"
        raise FieldValueError(owner, name, came(value), expected)
    return {each: model.field(each).check(given[each], owner) for each in model.key}


def _by_name(model: Model, value: object) -> Mapping[Any, Any] | None:
    if is_mapping(value):
        return value
    values = as_list(value)
    if values is None or len(values) != len(model.key):
        return None
    return dict(zip(model.key, values, strict=True))


def key_filter(model: Model, key: Mapping[str, Any]) -> Filter:
    """Return the filter for the row with *key*."""
    parts = tuple(
        Compare(model.field(name), Comparison.EQ, key[name]) for name in model.key
    )
    return parts[0] if len(parts) == 1 else And(parts)


def key_of(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key among the values of a row, by name."""
    return {name: values[name] for name in model.key}


def key_decoder(table: Table) -> RowCodec:
    """Return what decodes rows that hold the key alone."""
    return table.key_codec


def key_value(table: Table, row: Row) -> Any:  # noqa: ANN401  any type may be a key
    """Return the key of a row: its value, or a mapping when it is composite."""
    key = key_decoder(table).decode(row)
    return next(iter(key.values())) if len(key) == 1 else key
