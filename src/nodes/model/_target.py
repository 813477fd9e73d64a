"""How a node is told which row is meant.

By ``record_id`` or ``id``, by the names of the key's fields, or by ``filter`` (or
``conditions``); in one of these ways. A name that is a field of the model, and not
of its key, means that field and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

from ...drivers import Connection
from ...errors import AmbiguousFilterError, FieldValueError, MissingFieldError
from ...models import Model
from ...sql import ALL, NOTHING, Filter, Result, Statement, parse
from .._node import Port
from ._model_node import Arriving, field_port
from .parameters import PLAIN, key_filter, read_key

__all__ = ["Target", "TargetReader", "run_on_one_row", "target_ports"]

_KEYS: Final = ("record_id", "id")
_FILTERS: Final = ("filter", "conditions")


@final
class Target:
    """The row a node is to work on.

    Attributes:
        key: The values of the key by name, when it was given as a key.
        names: What was given, for errors.
    """

    __slots__ = ("_filter", "_model", "key", "names")

    def __init__(
        self,
        model: Model,
        names: tuple[str, ...],
        key: dict[str, Any] | None,
        where: Filter | None = None,
    ) -> None:
        self.names = names
        self.key = key
        self._model = model
        self._filter = where

    @property
    def where(self) -> Filter:
        """The filter that finds the row; made when it is asked for."""
        if self._filter is not None:
            return self._filter
        return NOTHING if self.key is None else key_filter(self._model, self.key)

    def absent(self) -> dict[str, Any]:
        """Return the key of a row that is not there; None where nobody told it."""
        return self.key or dict.fromkeys(self._model.key)


def target_ports(model: Model) -> list[Port]:
    """Return the ports that say which row is meant."""
    own = [field_port(model.field(name)) for name in model.key]
    key_type: Any = own[0].type if len(own) == 1 else Any
    keys = [Port(name, key_type) for name in _KEYS if name not in model.names]
    filters = [Port(name, dict) for name in _FILTERS if name not in model.names]
    return [*keys, *own, *filters]


@final
class TargetReader:
    """Takes from the parameters of a node what says which row is meant.

    Which names may say so is decided once: reading a key costs 1 µs.

    Args:
        model: Whose rows.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        keys = tuple(name for name in _KEYS if name not in model.names)
        self._filters = tuple(name for name in _FILTERS if name not in model.names)
        self._others = (*keys, *self._filters)
        self._names = (*self._others, *model.key)
        # Parameters whose value is the whole key.
        self._keys = frozenset((*keys, *(model.key if len(model.key) == 1 else ())))
        self._only = model.field(model.key[0]) if len(model.key) == 1 else None

    def read(
        self, parameters: dict[str, Any], owner: str, arriving: Arriving = None
    ) -> Target:
        """Return the row that is meant; what says so is taken from *parameters*.

        Raises:
            MissingFieldError: Nothing says so.
            FieldValueError: Two things say so, or the key does not fit.
            FilterError: The filter cannot be understood.
        """
        only = self._only
        if only is not None and len(parameters) == 1 and not arriving:
            # One value that is the key: nearly always.
            name, value = next(iter(parameters.items()))
            if name in self._keys and type(value) in PLAIN:
                parameters.clear()
                return self._by_key({only.name: only.check(value, owner)})
        given = [name for name in self._names if name in parameters]
        if len(given) == 1 and not arriving:
            name = given[0]
            if name in self._keys:
                value = parameters.pop(name)
                return self._by_key(read_key(self._model, value, owner, name))
            if name in self._filters:
                return self._by_filter(parameters.pop(name), owner, name)
        coming = [name for name in self._names if name in (arriving or ())]
        self._refuse_two([*given, *coming], owner)
        if coming:
            # The row that a connection will name.
            return Target(self._model, (), None)
        if given and given[0] in self._others:
            # Constants are checked although something else arrives later.
            return self.read({given[0]: parameters.pop(given[0])}, owner)
        return self._by_fields(parameters, owner, given)

    def _refuse_two(self, given: Sequence[str], owner: str) -> None:
        others = [name for name in given if name in self._others]
        own = [name for name in given if name not in self._others]
        ways = [*own[:1], *others]
        if len(ways) > 1:
            expected = f"to be the only one of {', '.join(ways)}"
            came = "a second way to name the row"
            raise FieldValueError(owner, ways[1], came, expected)

    def _by_fields(
        self, parameters: dict[str, Any], owner: str, given: Sequence[str]
    ) -> Target:
        model = self._model
        if not given:
            raise MissingFieldError(owner, "record_id", f"the key of one {model.name}")
        for name in model.key:
            if name not in given:
                raise MissingFieldError(owner, name, model.field(name).describe())
        own = {name: parameters.pop(name) for name in model.key}
        return self._by_key(read_key(model, own, owner, model.key[0]))

    def _by_key(self, key: dict[str, Any]) -> Target:
        return Target(self._model, self._model.key, key)

    def _by_filter(self, value: object, owner: str, name: str) -> Target:
        model = self._model
        given = cast("Mapping[str, Any]", value)  # `parse` refuses anything else
        where = parse(given, model)
        if where is ALL:
            raise MissingFieldError(owner, name, f"a filter for one {model.name}")
        return Target(model, tuple(given), self._key_in(given, owner), where)

    def _key_in(self, given: Mapping[str, Any], owner: str) -> dict[str, Any] | None:
        """Return the key if the filter is nothing but ``{key: value}``."""
        key = self._model.key
        if set(given) != set(key):
            return None
        if any(value is None or isinstance(value, Mapping) for value in given.values()):
            return None
        return read_key(self._model, given, owner, key[0])


async def run_on_one_row(
    connection: Connection,
    statements: Sequence[Statement],
    target: Target,
    node: str,
    bulk: str,
) -> list[Result]:
    """Run *statements*, which work on the one row of *target*.

    Raises:
        AmbiguousFilterError: There are several; what was done is rolled back.
    """
    if target.key is not None:
        return await connection.run(statements)
    async with connection.transaction():
        results = await connection.run(statements)
        if len(results[-1].rows) > 1:
            raise AmbiguousFilterError(node, bulk)
        return results
