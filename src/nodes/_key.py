"""How a node is told which row is meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..drivers import Connection, Row
from ..errors import AmbiguousFilterError, FieldValueError, MissingFieldError
from ..models import Model
from ..sql import And, Compare, Comparison, Filter, Statement, parse

__all__ = ["KEY_NAMES", "Target", "key_filter", "one_row", "read_key", "read_target"]

KEY_NAMES = ("record_id", "id")
"""Parameters that hold a key; a composite one as a mapping or in key order."""


class Target:
    """The row a node is to work on.

    Attributes:
        key: The values of the key by name, when it was given as a key.
        where: The filter that finds the row.
        names: What was given, for errors.
    """

    __slots__ = ("key", "names", "where")

    def __init__(
        self, key: dict[str, Any] | None, where: Filter, names: tuple[str, ...]
    ) -> None:
        self.key = key
        self.where = where
        self.names = names


def read_key(model: Model, value: object, owner: str, name: str) -> dict[str, Any]:
    """Return the key's values by name, checked.

    Args:
        model: Whose key.
        value: One value; for a composite key a mapping, or the values in order.
        owner: What errors call the node.
        name: The parameter it came by.
    """
    if len(model.key) == 1 and not isinstance(value, Mapping):
        return {model.key[0]: model.field(model.key[0]).check(value, owner)}
    if isinstance(value, list | tuple) and len(value) == len(model.key):
        value = dict(zip(model.key, value, strict=True))
    if not isinstance(value, Mapping) or set(value) != set(model.key):
        expected = f"a key of {', '.join(model.key)}"
        came = "None" if value is None else type(value).__name__
        raise FieldValueError(owner, name, came, expected)
    return {each: model.field(each).check(value[each], owner) for each in model.key}


def key_filter(model: Model, key: Mapping[str, Any]) -> Filter:
    """Return the filter for the row with *key*."""
    parts = tuple(
        Compare(model.field(name), Comparison.EQ, key[name]) for name in model.key
    )
    return parts[0] if len(parts) == 1 else And(parts)


def read_target(
    model: Model,
    parameters: dict[str, Any],
    owner: str,
    arriving: Collection[str] = (),
) -> Target | None:
    """Take from *parameters* what says which row is meant.

    Understood are ``record_id``, ``id``, the key's own names, and ``filter`` (or
    ``conditions``). None is returned when the answer will only arrive later.

    Raises:
        MissingFieldError: Nothing says so.
        FieldValueError: Two things say so, or the key does not fit.
        FilterError: The filter cannot be understood.
    """
    given = [name for name in _names(model, parameters) if name in parameters]
    own = [name for name in model.key if name in parameters]
    if len(own) == len(model.key) and not set(own) & set(given):
        key = {name: parameters.pop(name) for name in model.key}
        given_key = read_key(model, key, owner, model.key[0])
        return Target(given_key, key_filter(model, given_key), model.key)
    if len(given) > 1:
        expected = f"only one of {', '.join(given)}"
        raise FieldValueError(owner, given[1], "a second one", expected)
    if not given:
        if set(arriving) & {*KEY_NAMES, *model.key, "filter", "conditions"}:
            return None
        raise MissingFieldError(owner, "record_id", f"the key of one {model.name}")
    return _target(model, given[0], parameters.pop(given[0]), owner)


def _names(model: Model, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parameters that may name the row, leaving out real fields."""
    names = ("record_id", "id", "filter", "conditions")
    fields = set(model.names) - set(model.key)
    return tuple(
        name
        for name in names
        if name not in fields or (name == "filter" and _is_filter(parameters))
    )


def _is_filter(parameters: Mapping[str, Any]) -> bool:
    return isinstance(parameters.get("filter"), Mapping)


def _target(model: Model, name: str, value: object, owner: str) -> Target:
    if name in {"filter", "conditions"}:
        where = parse(value, model)
        if isinstance(where, And) and not where.parts:
            raise MissingFieldError(owner, name, f"a filter for one {model.name}")
        key = _key_of(model, value)
        return Target(key, where, tuple(value))  # type: ignore[arg-type]  # parsed: a mapping
    key = read_key(model, value, owner, name)
    return Target(key, key_filter(model, key), model.key)


def _key_of(model: Model, value: object) -> dict[str, Any] | None:
    """Return the key if the filter is nothing but ``{key: value}``."""
    if not isinstance(value, Mapping) or set(value) != set(model.key):
        return None
    if any(isinstance(each, Mapping) for each in value.values()):
        return None
    return {name: model.field(name).check(value[name], model.name) for name in value}


async def one_row(
    connection: Connection, statement: Statement, target: Target, node: str, bulk: str
) -> Sequence[Row]:
    """Run *statement* on the one row of *target* and return what it yields.

    Raises:
        AmbiguousFilterError: There are several; what it did is rolled back.
    """
    if target.key is not None:
        (result,) = await connection.run((statement,))
        return result.rows
    async with connection.transaction():
        (result,) = await connection.run((statement,))
        if len(result.rows) > 1:
            raise AmbiguousFilterError(node, bulk)
        return result.rows
