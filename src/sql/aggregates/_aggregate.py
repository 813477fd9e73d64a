"""What is computed of a group, as users write it: ``{"total": {"$sum": "price"}}``.

Rules of this file: the name before the colon, the alias, is the user's and never
becomes SQL; the name behind the function is a field of the model; whatever is not
understood raises `FilterError` with its path.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from ...errors import FilterError, UnknownFieldError
from ...models import Field, FieldType, Kind, Model
from ..filters.operators import is_mapping, type_name, unknown_operator

__all__ = ["FUNCTIONS", "MAX_AGGREGATES", "Aggregate", "Function", "parse_aggregates"]

MAX_AGGREGATES: Final = 100
"""Aggregates of one statement: with the columns of a table below what both take.

Source: PostgreSQL, Limits, columns per result set (1 664).
"""

_PATH: Final = "aggregates"
_ROWS: Final = "*"


class Function(StrEnum):
    """What is computed."""

    COUNT = "$count"
    COUNT_DISTINCT = "$countDistinct"
    SUM = "$sum"
    AVG = "$avg"
    MIN = "$min"
    MAX = "$max"


FUNCTIONS: Final = tuple(each.value for each in Function)

_OF_NUMBERS: Final = frozenset({Function.SUM, Function.AVG})
_COUNTS: Final = frozenset({Function.COUNT, Function.COUNT_DISTINCT})
_NUMBERS: Final = frozenset({Kind.INT, Kind.FLOAT, Kind.DECIMAL})

_WHOLE: Final = FieldType(Kind.INT, int)
_EXACT: Final = FieldType(Kind.DECIMAL, Decimal)
_FLOAT: Final = FieldType(Kind.FLOAT, float)


class Aggregate(msgspec.Struct, frozen=True, eq=False):
    """One value of each group.

    Attributes:
        alias: Its name in the result.
        function: How it is computed.
        field: Of what; None for the rows themselves.
    """

    alias: str
    function: Function
    field: Field | None = None

    @property
    def type(self) -> FieldType:
        """As what the database computes and compares it."""
        if self.field is None or self.function in _COUNTS:
            return _WHOLE
        if self.function in _OF_NUMBERS:
            is_float = self.field.type.stored_kind is Kind.FLOAT
            return _FLOAT if is_float else _EXACT
        return self.field.type

    @property
    def is_nullable(self) -> bool:
        """Whether a group may have none: a count is never missing."""
        return self.function not in _COUNTS

    @property
    def is_whole(self) -> bool:
        """Whether it is an int of any size, which travels as a Decimal."""
        if self.field is None or self.function is not Function.SUM:
            return False
        return self.field.type.stored_kind is Kind.INT


def parse_aggregates(
    given: object, model: Model, taken: Collection[str]
) -> tuple[Aggregate, ...]:
    """Return what is to be computed of each group.

    Args:
        given: ``{"total": {"$sum": "price"}, "n": {"$count": "*"}}``.
        model: Whose fields are named.
        taken: Names that no alias may have: those of the fields grouped by.

    Raises:
        FilterError: Unknown function or field, a field that the function does not
            take, or a name that cannot be an alias.
    """
    if not is_mapping(given) or not given:
        came = "an empty mapping" if is_mapping(given) else type_name(given)
        example = "{'total': {'$sum': 'price'}}"
        raise FilterError(_PATH, f"takes a mapping such as {example}, not {came}")
    if len(given) > MAX_AGGREGATES:
        raise FilterError(_PATH, f"takes at most {MAX_AGGREGATES} aggregates")
    return tuple(
        _aggregate(_alias(name, taken), asked, model) for name, asked in given.items()
    )


def _alias(name: object, taken: Collection[str]) -> str:
    if not isinstance(name, str):
        raise FilterError(_PATH, f"takes names as keys, not {type_name(name)}")
    # The language of filters gives these a meaning of their own.
    if not name or name.startswith("$") or "." in name:
        problem = f"{name!r} is no name for a result: use one without '.' or '$'"
        raise FilterError(_PATH, problem)
    if name in taken:
        problem = "is a field the rows are grouped by: give the result another name"
        raise FilterError(f"{_PATH}.{name}", problem)
    return name


def _aggregate(alias: str, asked: object, model: Model) -> Aggregate:
    path = f"{_PATH}.{alias}"
    if not is_mapping(asked) or len(asked) != 1:
        problem = "takes one function of one field, such as {'$sum': 'price'}"
        raise FilterError(path, problem)
    ((name, operand),) = asked.items()
    if name not in FUNCTIONS:
        raise FilterError(path, unknown_operator(str(name), FUNCTIONS))
    function = Function(name)
    path = f"{path}.{function.value}"
    if operand == _ROWS and function is Function.COUNT:
        return Aggregate(alias, function)
    return Aggregate(alias, function, _operand(function, operand, model, path))


def _operand(function: Function, operand: object, model: Model, path: str) -> Field:
    if not isinstance(operand, str):
        raise FilterError(path, f"takes a field's name, not {type_name(operand)}")
    try:
        field = model.field(operand)
    except UnknownFieldError as error:
        raise FilterError(path, str(error)) from error
    if not _takes(function, field):
        raise FilterError(path, _refusal(function, field, model))
    return field


def _takes(function: Function, field: Field) -> bool:
    if function in _OF_NUMBERS:
        return field.type.stored_kind in _NUMBERS
    return function is Function.COUNT or not field.type.is_compound


def _refusal(function: Function, field: Field, model: Model) -> str:
    takes = _TAKES.get(function, "single values")
    names = [each.name for each in model.fields if _takes(function, each)]
    which = f"such as {', '.join(names)}" if names else "of which there is none"
    return f"{field.name!r} is {field.type.describe()}: takes {takes}, {which}"


_TAKES: Final[Mapping[Function, str]] = dict.fromkeys(
    _OF_NUMBERS, "int, float or Decimal"
)
