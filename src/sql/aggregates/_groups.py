"""Rows in groups: by which fields, and what is computed of each group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any, Final, final

from ...errors import FilterError, StoredValueError
from ...models import Field, Kind, Model
from .._codec import UNDECODABLE, codec
from .._dialect import Dialect
from ..filters import Filter, Term, parse, parse_order
from ._aggregate import Aggregate, Function

__all__ = ["Groups"]

Convert = Callable[[Any], Any]


@final
class Groups:
    """The groups of a model's rows that agree in some fields.

    To filters and orders the groups are rows of a model of their own, whose fields
    are those grouped by and the aliases, and whose key is the former.

    Args:
        model: Whose rows.
        fields: What the rows of a group agree in; without any there is one group.
        aggregates: What is computed of each group.
        owner: What errors call it.

    Attributes:
        model: Whose rows.
        fields: What the rows of a group agree in.
        aggregates: What is computed of each group.
        result: The model of the groups.
    """

    def __init__(
        self,
        model: Model,
        fields: Sequence[Field],
        aggregates: Sequence[Aggregate] = (),
        owner: str = "",
    ) -> None:
        self.model = model
        self.fields = tuple(fields)
        self.aggregates = tuple(aggregates)
        computed = [
            Field(
                model=model.name,
                name=each.alias,
                type=each.type,
                is_nullable=each.is_nullable,
            )
            for each in aggregates
        ]
        self.result = Model(
            name=owner or model.name,
            table=model.table,
            fields=(*fields, *computed),
            key=tuple(field.name for field in fields),
            python_type=model.python_type,
        )

    def having(self, given: object) -> Filter:
        """Return the filter of groups that a user wrote.

        Raises:
            FilterError: It cannot be understood; its path begins with ``having``.
        """
        try:
            return parse(given, self.result)
        except FilterError as error:
            path = f"having.{error.path}" if error.path else "having"
            raise FilterError(path, error.problem) from error.__cause__

    def order(self, given: object) -> tuple[Term, ...]:
        """Return the terms of an order, the fields grouped by appended.

        Raises:
            FilterError: It cannot be understood.
        """
        return parse_order(given, self.result)

    def decoder(self, dialect: Dialect) -> Callable[[Sequence[Any]], list[Any]]:
        """Return what makes values by name of rows of the database.

        It raises `StoredValueError` for a value that its field does not store.
        """
        columns: list[_Column] = [
            (field.name, field, codec(field.type, dialect).decode)
            for field in self.fields
        ]
        columns += [
            (each.alias, each.field, _converter(each, dialect))
            for each in self.aggregates
        ]

        def decode(rows: Sequence[Any]) -> list[Any]:
            return [_decoded(columns, row) for row in rows]

        return decode


_Column = tuple[str, Field | None, Convert | None]
"""The name in the result, what it is made of, and what makes the value."""


def _decoded(columns: Sequence[_Column], row: Sequence[Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for (name, field, convert), value in zip(columns, row, strict=True):
        if value is None or convert is None or field is None:
            decoded[name] = value
            continue
        try:
            decoded[name] = convert(value)
        except UNDECODABLE as error:
            expected = field.type.describe()
            raise StoredValueError(field.model, field.name, expected) from error
    return decoded


def _converter(aggregate: Aggregate, dialect: Dialect) -> Convert | None:
    """Return what makes the value of what the database gives."""
    decode = codec(aggregate.type, dialect).decode
    if aggregate.is_whole:
        return int
    is_exact = aggregate.type.kind is Kind.DECIMAL and aggregate.function in _NEW
    if decode is None or aggregate.field is None or not is_exact:
        return decode
    is_mean = aggregate.function is Function.AVG
    places = aggregate.field.type.scale or 0

    def convert(value: Any) -> Decimal:  # noqa: ANN401  # whatever the database gives
        number: Decimal = decode(value)
        if not number.is_finite():  # others may have stored NaN
            raise ValueError(number)
        return _trimmed(number, places) if is_mean else number

    return convert


_NEW: Final = frozenset({Function.SUM, Function.AVG})
"""Functions whose values need not be any row's."""

_ROOM: Final = Context(prec=150_000)


def _trimmed(number: Decimal, places: int) -> Decimal:
    """Return *number* without zeros at its end, but for those of its field's places."""
    short = number.normalize(_ROOM)
    if -int(short.as_tuple().exponent) < places:
        return short.quantize(Decimal(1).scaleb(-places), context=_ROOM)
    return short
