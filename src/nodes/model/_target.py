"""How a node is told which row is meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, final

from ..drivers import Connection, Row
from ..errors import AmbiguousFilterError, FieldValueError, MissingFieldError
from ..models import Model
from ..sql import ALL, And, Compare, Comparison, Filter, Statement, parse
from ._values import as_mapping

__all__ = [
    "KEY_NAMES",
    "Target",
    "TargetReader",
    "key_filter",
    "one_row",
    "read_key",
]

KEY_NAMES: Final = ("record_id", "id")
"""Parameters that hold a key; a composite one as a mapping or in key order."""

_FILTERS: Final = ("filter", "conditions")


@final
class Target:
    """The row a node is to work on.

    Attributes:
        key: The values of the key by name, when it was given as a key.
        names: What was given, for errors.
    """

    __slots__ = ("_where", "key", "names")

    def __init__(
        self,
        names: tuple[str, ...],
        key: dict[str, Any] | None,
        where: Callable[[], Filter],
    ) -> None:
        self.names = names
        self.key = key
        self._where = where

    @property
    def where(self) -> Filter:
        """The filter that finds the row."""
        return self._where()


def read_key(model: Model, value: object, owner: str, name: str) -> dict[str, Any]:
    """Return the key's values by name, checked.

    Args:
        model: Whose key.
        value: One value; for a composite key a mapping, or the values in order.
        owner: What errors call the node.
        name: The parameter it came by.
    """
    if len(model.key) == 1 and not isinstance(value, dict | Mapping):
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


@final
class TargetReader:
    """Takes from the parameters of a node what says which row is meant.

    Understood are ``record_id``, ``id``, the key's own names, and ``filter`` (or
    ``conditions``); a name that is a field of the model, and not its key, means the
    field. Which names those are is decided once: reading a key costs 1 µs.

    Args:
        model: Whose rows.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        taken = frozenset(model.names)
        self._names = tuple(
            name for name in KEY_NAMES if name not in taken or model.key == (name,)
        )
        self._filters = tuple(name for name in _FILTERS if name not in taken)
        self._all = (*self._names, *self._filters)
        self._known = frozenset((*self._all, *model.key))

    def read(
        self, parameters: dict[str, Any], owner: str, arriving: Collection[str] = ()
    ) -> Target | None:
        """Return the row that is meant; None when the answer will only arrive later.

        What says so is removed from *parameters*.

        Raises:
            MissingFieldError: Nothing says so.
            FieldValueError: Two things say so, or the key does not fit.
            FilterError: The filter cannot be understood.
        """
        given = [name for name in self._all if name in parameters]
        if len(given) > 1:
            expected = f"only one of {', '.join(given)}"
            raise FieldValueError(owner, given[1], "a second one", expected)
        model = self._model
        if given:
            name = given[0]
            value = parameters.pop(name)
            if name in self._filters:
                return self._by_filter(value, owner, name)
            return self._by_key(read_key(model, value, owner, name))
        if all(name in parameters for name in model.key):
            own = {name: parameters.pop(name) for name in model.key}
            return self._by_key(read_key(model, own, owner, model.key[0]))
        if not self._known.isdisjoint(arriving):
            return None
        raise MissingFieldError(owner, "record_id", f"the key of one {model.name}")

    def _by_key(self, key: dict[str, Any]) -> Target:
        return Target(self._model.key, key, partial(key_filter, self._model, key))

    def _by_filter(self, value: object, owner: str, name: str) -> Target:
        given = as_mapping(value, owner, name)
        where = parse(given, self._model)
        if where is ALL:
            expected = f"a filter for one {self._model.name}"
            raise MissingFieldError(owner, name, expected)
        return Target(tuple(given), self._key_of(given), lambda: where)

    def _key_of(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the key if the filter is nothing but ``{key: value}``."""
        key = self._model.key
        if set(given) != set(key):
            return None
        if any(value is None or isinstance(value, Mapping) for value in given.values()):
            return None
        return read_key(self._model, given, self._model.name, key[0])


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
