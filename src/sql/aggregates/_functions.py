"""What each function is in SQL, as tables.

Rules of this file: sums of integers and decimals are exact and never overflow;
averages of them are rounded once, by one rule; a sum of floats that no float holds
fails, as PostgreSQL has it. Text goes by code point, and what PostgreSQL has no ``min``
for is compared as text of the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ...models import FieldType, Kind
from .._column import NUMERIC, is_scaled
from .._dialect import POSTGRESQL, Dialect
from ..filters import Reference
from ._aggregate import Aggregate, Function
from ._decimals import MEAN_DIGITS

__all__ = ["aggregate_text"]

Write = Callable[[FieldType, str], str]
"""Makes the text of a type and the expression of a column."""


def aggregate_text(
    aggregate: Aggregate, columns: Mapping[str, Reference], dialect: Dialect
) -> str:
    """Return the expression of *aggregate* over the rows of a group."""
    function, field = aggregate.function, aggregate.field
    if field is None:
        return "count(*)"
    column = columns[field.name]
    if function is Function.COUNT:
        return f"count({column.name})"
    if function is Function.COUNT_DISTINCT:
        return f"count(DISTINCT {column.ordered})"
    writers = _POSTGRESQL if dialect is POSTGRESQL else _SQLITE
    return writers[function](field.type, column.ordered)


# -- PostgreSQL -----------------------------------------------------------------------

# It has no min and max of these; of bytea only since 18.
_LEAST: Final = {
    Kind.BOOL: "bool_and({0})",
    Kind.UUID: 'min({0}::text COLLATE "C")::uuid',
    Kind.BYTES: "decode(min(encode({0}, 'hex') COLLATE \"C\"), 'hex')",
}
_GREATEST: Final = {
    Kind.BOOL: "bool_or({0})",
    Kind.UUID: 'max({0}::text COLLATE "C")::uuid',
    Kind.BYTES: "decode(max(encode({0}, 'hex') COLLATE \"C\"), 'hex')",
}


# Nor of these; their text sorts as they do. Source: PostgreSQL, `macaddr_out`.
_SORTED_AS_TEXT: Final = frozenset({"macaddr", "macaddr8"})


def _postgresql_min(type_: FieldType, column: str) -> str:
    if type_.column in _SORTED_AS_TEXT:
        return f'min({column}::text COLLATE "C")::{type_.column}'
    return _LEAST.get(type_.stored_kind, "min({0})").format(column)


def _postgresql_max(type_: FieldType, column: str) -> str:
    if type_.column in _SORTED_AS_TEXT:
        return f'max({column}::text COLLATE "C")::{type_.column}'
    return _GREATEST.get(type_.stored_kind, "max({0})").format(column)


def _postgresql_sum(type_: FieldType, column: str) -> str:
    # The casts are for columns that others declared, such as integer or real.
    if type_.stored_kind is Kind.FLOAT:
        return f"sum({column}::double precision)"
    return f"sum({column})::numeric"


def _postgresql_avg(type_: FieldType, column: str) -> str:
    if type_.stored_kind is Kind.FLOAT:
        return f"avg({column}::double precision)"
    # A plain division has as many digits as PostgreSQL sees fit; div() has none, and
    # is exact. A product is exact too.
    total, count = _postgresql_sum(type_, column), f"count({column})"
    digits = f"(scale({total}) + {MEAN_DIGITS})"
    doubled = f"{total} * ('2e' || {digits})::numeric + sign({total}) * {count}"
    mean = f"div({doubled}, 2 * {count}) * ('1e-' || {digits})::numeric"
    return f"coalesce({mean}, {total})"  # NaN has no scale, and stays NaN


_POSTGRESQL: Final[Mapping[Function, Write]] = {
    Function.SUM: _postgresql_sum,
    Function.AVG: _postgresql_avg,
    Function.MIN: _postgresql_min,
    Function.MAX: _postgresql_max,
}


# -- SQLite ---------------------------------------------------------------------------


def _sqlite_min(type_: FieldType, column: str) -> str:
    del type_
    return f"min({column})"


def _sqlite_max(type_: FieldType, column: str) -> str:
    del type_
    return f"max({column})"


def _sqlite_sum(type_: FieldType, column: str) -> str:
    if type_.stored_kind is Kind.FLOAT:
        return _finite(f"sum({column})", column)
    if type_.column == NUMERIC:
        return f"decimal_sum(CAST({column} AS TEXT))"
    if type_.kind is Kind.DECIMAL and not is_scaled(type_):
        return f"decimal_sum({column})"
    # sum() fails past 64 bits; halves of 32 bits take two thousand million rows.
    scale = type_.scale if is_scaled(type_) else 0
    halves = f"sum({column} >> 32), sum({column} & {2**32 - 1})"
    is_whole = f"sum(typeof({column}) = 'integer') = count({column})"
    return f"decimal_of({halves}, {scale}, {is_whole})"


def _sqlite_avg(type_: FieldType, column: str) -> str:
    if type_.stored_kind is Kind.FLOAT:
        return _finite(f"avg({column})", column)
    return f"decimal_mean({_sqlite_sum(type_, column)}, count({column}))"


def _finite(number: str, column: str) -> str:
    """Return *number*, or a failure where it is infinite.

    SQLite has "integer overflow" for the absolute value of the least integer.
    Source: sqlite.org/lang_corefunc.html, abs(X).
    """
    failure = f"abs(-{2**63 - 1} - (count({column}) > 0))"
    is_none = f"WHEN count({column}) = 0 THEN NULL"
    return f"CASE WHEN abs({number}) < 9e999 THEN {number} {is_none} ELSE {failure} END"


_SQLITE: Final[Mapping[Function, Write]] = {
    Function.SUM: _sqlite_sum,
    Function.AVG: _sqlite_avg,
    Function.MIN: _sqlite_min,
    Function.MAX: _sqlite_max,
}
