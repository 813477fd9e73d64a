"""Whole rows: values by name to parameters in order, and back.

Rules of this file: a row runs through here for every record read or written, so
what can be decided once per statement is: `encode` and `decode` are chosen when
the codec is made, and columns that need no conversion cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, cast, final

from ..errors import StoredValueError
from ..models import Model
from ._codec import UNDECODABLE, codec
from ._dialect import Dialect

__all__ = ["RowCodec"]

Encode = Callable[[Mapping[str, Any]], tuple[Any, ...]]
Decode = Callable[[Sequence[Any]], dict[str, Any]]
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
        encode: Returns checked values, given by name, as parameters in the order
            of `names`; raises KeyError when one is missing.
        decode: Returns what the database gave in the order of `names` as values
            by name; raises `StoredValueError` when one is none that its field
            stores. The columns must be as many as the names.

    Raises:
        UnknownFieldError: One of *fields* is not in the model.
    """

    __slots__ = ("_model", "decode", "encode", "names")

    def __init__(
        self, model: Model, dialect: Dialect, fields: Iterable[str] | None = None
    ) -> None:
        self._model = model
        self.names: Final = model.names if fields is None else tuple(fields)
        codecs = [codec(model.field(name).type, dialect) for name in self.names]
        encoders = [each.encode for each in codecs]
        decoders = {
            name: each.decode
            for name, each in zip(self.names, codecs, strict=True)
            if each.decode is not None
        }
        self.encode: Encode = _encoder(self.names, encoders)
        self.decode: Decode = self._decoder(decoders)

    def _decoder(self, decoders: Mapping[str, Convert]) -> Decode:
        names = self.names
        if not decoders:
            # strict= would cost 0.2 of 0.5 us a row; the statement fixes the width.
            return lambda row: dict(zip(names, row))  # noqa: B905
        steps = tuple(decoders.items())

        def decode(row: Sequence[Any]) -> dict[str, Any]:
            values = dict(zip(names, row))  # noqa: B905  # as above
            name = ""
            try:
                for name, convert in steps:
                    value = values[name]
                    if value is not None:
                        values[name] = convert(value)
            except UNDECODABLE as error:
                raise self._undecodable(name) from error
            return values

        return decode

    def _undecodable(self, name: str) -> StoredValueError:
        expected = self._model.field(name).describe()
        return StoredValueError(self._model.name, name, expected)


def _encoder(names: tuple[str, ...], encoders: Sequence[Convert | None]) -> Encode:
    pick = _picker(names)
    steps = [(place, each) for place, each in enumerate(encoders) if each is not None]
    if not steps:
        return pick

    def encode(values: Mapping[str, Any]) -> tuple[Any, ...]:
        encoded = list(pick(values))
        for place, convert in steps:
            value = encoded[place]
            if value is not None:
                encoded[place] = convert(value)
        return tuple(encoded)

    return encode


def _picker(names: tuple[str, ...]) -> Encode:
    """Return what takes the values of *names* out of a mapping, in order."""
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return cast("Encode", itemgetter(*names)) if names else lambda _: ()
