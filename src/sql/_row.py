"""Whole rows: values by name to parameters in order, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, cast, final

from ..errors import StoredValueError
from ..models import Model
from ._codec import UNDECODABLE, codec
from ._dialect import Dialect

__all__ = ["RowCodec"]

Convert = Callable[[Any], Any]


@final
class RowCodec:
    """How rows of a model travel to and from one database.

    Args:
        model: The model.
        dialect: The database.
        fields: Names of the columns, in order; all of the model by default.

    Attributes:
        names: Names of the columns, in order.

    Raises:
        UnknownFieldError: One of *fields* is not in the model.
    """

    __slots__ = ("_decoders", "_encoders", "_model", "_pick", "names")

    def __init__(
        self, model: Model, dialect: Dialect, fields: Iterable[str] | None = None
    ) -> None:
        self.names: Final = model.names if fields is None else tuple(fields)
        self._model = model
        self._pick = _picker(self.names)
        self._encoders: list[tuple[int, Convert]] = []
        self._decoders: list[tuple[str, Convert]] = []
        for place, name in enumerate(self.names):
            made = codec(model.field(name).type, dialect)
            if made.encode is not None:
                self._encoders.append((place, made.encode))
            if made.decode is not None:
                self._decoders.append((name, made.decode))

    def encode(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the checked *values* as parameters, in the order of `names`.

        Raises:
            KeyError: One of them is missing.
        """
        picked = self._pick(values)
        if not self._encoders:
            return picked
        encoded = list(picked)
        for place, encode in self._encoders:
            value = encoded[place]
            if value is not None:
                encoded[place] = encode(value)
        return tuple(encoded)

    def decode(self, row: Sequence[Any]) -> dict[str, Any]:
        """Return what the database gave, in the order of `names`, as values.

        Raises:
            StoredValueError: A value is none that the field's type stores.
        """
        values = dict(zip(self.names, row, strict=True))
        name = ""
        try:
            for name, decode in self._decoders:
                value = values[name]
                if value is not None:
                    values[name] = decode(value)
        except UNDECODABLE as error:
            field = self._model.field(name)
            raise StoredValueError(self._model.name, name, field.describe()) from error
        return values


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what takes the values of *names* out of a mapping, in order."""
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return cast("Convert", itemgetter(*names))
