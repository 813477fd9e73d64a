"""Whole rows: values by name to parameters in order, and back.

Rules of this file: a row runs through here for every record read or written, so
what can be decided once per statement is. `encode` is chosen when the codec is made.
Decoding is written out as code for the columns at hand, with the conversions in it:
names and positions of columns are literals there, and nothing of it comes from a user
but the names of fields, as literals too. A row of eight columns, a time and JSON among
them, takes 0.6 us on SQLite and 0.2 us on PostgreSQL (0.33 us if it is a record of
asyncpg, where ``dict(record)`` takes 0.8 us); going over the conversions in a loop, it
took 1.4 us and 0.8 us.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, TypeVar, cast, final

from ...errors import StoredValueError
from ...models import Model
from .._codec import INLINE_NAMES, UNDECODABLE, Codec, codec
from .._dialect import Dialect

__all__ = ["RowCodec"]

Encode = Callable[[Mapping[str, Any]], tuple[Any, ...]]
Decode = Callable[[Sequence[Any]], dict[str, Any]]
Rows = Sequence[Sequence[Any]]
DecodeMany = Callable[[Rows], list[dict[str, Any]]]
DecodePlaced = Callable[[Rows], list[tuple[int, dict[str, Any]]]]
Convert = Callable[[Any], Any]

T = TypeVar("T")

_MANY: Final = 100
"""Rows from which on the collector of cycles is paused while they are decoded."""


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

    Raises:
        UnknownFieldError: One of *fields* is not in the model.
    """

    def __init__(
        self, model: Model, dialect: Dialect, fields: Iterable[str] | None = None
    ) -> None:
        self._model = model
        self.names: Final = model.names if fields is None else tuple(fields)
        self._codecs = [codec(model.field(name).type, dialect) for name in self.names]
        self.encode: Encode = _encoder(
            self.names, [each.encode for each in self._codecs]
        )

    @cached_property
    def decode(self) -> Decode:
        """Return values by name of what the database gave in the order of `names`.

        It raises `StoredValueError` when one is none that its field stores. The
        columns must be as many as the names.
        """
        return cast("Decode", self._compiled(_ONE))

    @cached_property
    def decode_many(self) -> DecodeMany:
        """Do the same for rows, 0.1 us a row faster than one by one.

        Decoded rows are dicts and hold no cycles, but thousands of new containers make
        Python look for some again and again: with JSON in 90 000 rows that took 0.3 of
        the time of a query. So the collector is paused for a call with many, about a
        millisecond per 1 000 rows, and looks once afterwards (0.4 us a row).
        """
        return _unhurried(cast("DecodeMany", self._compiled(_ALL)))

    @cached_property
    def decode_placed(self) -> DecodePlaced:
        """Do the same for rows with a number behind their columns; it comes first."""
        return _unhurried(cast("DecodePlaced", self._compiled(_PLACED)))

    def _compiled(self, template: str) -> Callable[..., Any]:
        """Return the function of *template* for these columns."""
        known: dict[str, Any] = {**INLINE_NAMES, "UNDECODABLE": UNDECODABLE}
        known["refusal"] = self._refusal
        items: list[str] = []
        for place, (name, each) in enumerate(
            zip(self.names, self._codecs, strict=True)
        ):
            value = f"v{place}"
            if each.decode is not None:
                known[f"decode{place}"] = each.decode
                value = each.inline.format(value=value, decode=f"decode{place}")
            items.append(f"{name!r}: {value}")
        columns = "".join(f"v{place}, " for place in range(len(items)))
        text = template.format(columns=columns or "()", items=", ".join(items))
        exec(compile(text, f"<decoder of {self._model.name}>", "exec"), known)  # noqa: S102  # see the top of the file
        return cast("Callable[..., Any]", known["decode"])

    def _refusal(self, rows: Iterable[Sequence[Any]]) -> StoredValueError:
        """Return what to raise for the first value that does not fit."""
        name = next(
            name
            for row in rows
            for name, each, value in zip(self.names, self._codecs, row, strict=True)
            if not _is_decodable(each, value)
        )
        expected = self._model.field(name).describe()
        return StoredValueError(self._model.name, name, expected)


_ONE: Final = """
def decode(row):
    {columns} = row
    try:
        return {{{items}}}
    except UNDECODABLE as error:
        raise refusal([row]) from error
"""
_ALL: Final = """
def decode(rows):
    try:
        return [{{{items}}} for {columns} in rows]
    except UNDECODABLE as error:
        raise refusal(rows) from error
"""


_PLACED: Final = """
def decode(rows):
    try:
        return [(place, {{{items}}}) for {columns} place in rows]
    except UNDECODABLE as error:
        raise refusal(row[:-1] for row in rows) from error
"""


def _unhurried(decode: Callable[[Rows], list[T]]) -> Callable[[Rows], list[T]]:
    """Return *decode*, during which the collector of cycles does not look for any."""

    def decode_many(rows: Rows) -> list[T]:
        if len(rows) < _MANY or not gc.isenabled():
            return decode(rows)
        gc.disable()
        try:
            return decode(rows)
        finally:
            gc.enable()

    return decode_many


def _is_decodable(codec: Codec, value: object) -> bool:
    try:
        if value is not None and codec.decode is not None:
            codec.decode(value)
    except UNDECODABLE:
        return False
    return True


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
