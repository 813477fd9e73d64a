"""From one type of a column to another: which conversions there are, as a table.

Rules of this file: a conversion is either exact for every value, or it is proved exact
for the values that are there before anything is committed. Nothing is rounded, cut or
guessed. What is not here cannot be told from a mistake, or differs between the
databases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from ....models import Digits, FieldType, Kind
from ..._shape import Column

__all__ = ["Conversion", "conversion", "reversal"]

How: TypeAlias = Literal["widen", "collate", "convert", "narrow"]


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """How values of one type become values of another.

    Attributes:
        how: ``widen``: rows stay as they are; ``collate``: so they do, indexes do not;
            ``convert``: every value fits; ``narrow``: not every one does.
        forth: SQL with ``{}`` for the value.
        back: The same the other way round; None where nothing is to be proved.
        collation: By which both are compared (SQLite).
    """

    how: How
    forth: str = "{}"
    back: str | None = None
    collation: str | None = None


def conversion(old: Column, new: Column, dialect: str) -> Conversion | None:
    """Return how a column becomes another, or None if there is no way that is safe."""
    if old.type == new.type:
        return Conversion(how="collate")
    before, after = old.field_type, new.field_type
    if before is None or after is None:
        return None
    if dialect == "sqlite":
        return _sqlite(before, after)
    return _postgresql(old, new, before, after)


def reversal(old: Column, new: Column) -> str:
    """Return what undoes a conversion on PostgreSQL, with ``{}`` for the value."""
    cast = f"{{}}::{old.type}"
    if old.field_type is None or new.field_type is None:
        return cast
    pair = new.field_type.stored_kind, old.field_type.stored_kind
    return _CASTS.get(pair, cast)


# -- PostgreSQL -----------------------------------------------------------------------

_EXACT: Final = frozenset(
    {
        (Kind.INT, Kind.DECIMAL),
        (Kind.INT, Kind.STR),
        (Kind.BOOL, Kind.INT),
        (Kind.DECIMAL, Kind.STR),
        (Kind.DATE, Kind.STR),
        (Kind.DATE, Kind.DATETIME),
        (Kind.UUID, Kind.STR),
        (Kind.NAIVE_DATETIME, Kind.DATETIME),
    }
)
_PROVED: Final = frozenset(
    {
        (Kind.INT, Kind.FLOAT),
        (Kind.FLOAT, Kind.INT),
        (Kind.DECIMAL, Kind.INT),
        (Kind.STR, Kind.INT),
        (Kind.STR, Kind.DECIMAL),
    }
)
_CASTS: Final[Mapping[tuple[Kind, Kind], str]] = {
    (Kind.BOOL, Kind.INT): "{}::integer::bigint",
    (Kind.INT, Kind.BOOL): "{} <> 0",
    (Kind.DATE, Kind.DATETIME): "{}::timestamp AT TIME ZONE 'UTC'",
    (Kind.NAIVE_DATETIME, Kind.DATETIME): "{} AT TIME ZONE 'UTC'",
}
_WIDTHS: Final = ("smallint", "integer", "bigint", "real", "double precision")
_SIZED: Final = re.compile(r"([a-z ]+?)\((\d+)(?:,(\d+))?\)")
_TEXTS: Final = frozenset({"text", "character varying"})
_INFINITE: Final = 1 << 30


def _postgresql(  # noqa: PLR0911  # a table
    old: Column, new: Column, before: FieldType, after: FieldType
) -> Conversion | None:
    pair = before.stored_kind, after.stored_kind
    if _stays(old.type, new.type) or pair == (Kind.NAIVE_DATETIME, Kind.DATETIME):
        # In a session in UTC a timestamp gets its timezone without being written anew.
        forth = "{}" if _stays(old.type, new.type) else "{}::timestamptz"
        return Conversion(how="widen", forth=forth)
    forth = _CASTS.get(pair, f"{{}}::{new.type}")
    back = f"{{}}::{old.type}"
    if pair in _EXACT:
        is_sized = after.stored_kind is Kind.DECIMAL and after.digits is not None
        if not is_sized:
            return Conversion(how="convert", forth=forth)
        return Conversion(how="narrow", forth=forth, back=back)
    if pair in _PROVED:
        return Conversion(how="narrow", forth=forth, back=back)
    if pair[0] is not pair[1] or before.is_compound != after.is_compound:
        return None
    if _is_wider(old.type, new.type) or pair[0] is Kind.JSON:
        return Conversion(how="convert", forth=forth)
    if pair[0] is Kind.LIST and before.element != after.element:
        return None
    return Conversion(how="narrow", forth=forth, back=back)


def _stays(old: str, new: str) -> bool:
    """Whether rows need not be written anew. Source: ALTER TABLE, "Notes"."""
    name, size, scale = _parts(old)
    to_name, to_size, to_scale = _parts(new)
    if name == "numeric" == to_name:
        return to_size >= size and (scale == to_scale or to_size == _INFINITE)
    is_text = name == "character varying" and to_name in _TEXTS
    return (is_text or (name == to_name == "text")) and to_size >= size


def _is_wider(old: str, new: str) -> bool:
    if old in _WIDTHS and new in _WIDTHS:
        return _WIDTHS.index(old) <= _WIDTHS.index(new)
    name, size, scale = _parts(old)
    to_name, to_size, to_scale = _parts(new)
    if name == "numeric" == to_name:
        return to_scale >= scale and to_size - to_scale >= size - scale
    return to_name == "text"


def _parts(type_: str) -> tuple[str, int, int]:
    sized = _SIZED.fullmatch(type_)
    if sized is None:
        return type_, _INFINITE, 0
    return sized[1], int(sized[2]), int(sized[3] or 0)


# -- SQLite ---------------------------------------------------------------------------

_MAX_SCALED: Final = 18  # digits of a Decimal that is stored as an integer
_PLAIN: Final[Mapping[tuple[Kind, Kind], Conversion]] = {
    (Kind.INT, Kind.FLOAT): Conversion(
        how="narrow", forth="CAST({} AS REAL)", back="CAST({} AS INTEGER)"
    ),
    (Kind.INT, Kind.STR): Conversion(
        how="convert", forth="CAST({} AS TEXT)", back="CAST({} AS INTEGER)"
    ),
    (Kind.BOOL, Kind.INT): Conversion(how="convert", back="{}"),
    (Kind.FLOAT, Kind.INT): Conversion(
        how="narrow", forth="CAST({} AS INTEGER)", back="CAST({} AS REAL)"
    ),
    (Kind.STR, Kind.INT): Conversion(
        how="narrow", forth="CAST({} AS INTEGER)", back="CAST({} AS TEXT)"
    ),
    (Kind.DATE, Kind.STR): Conversion(how="convert", back="{}"),
    (Kind.DATE, Kind.DATETIME): Conversion(
        how="convert",
        forth="{} || 'T00:00:00.000000+00:00'",
        back="substr({}, 1, 10)",
    ),
    (Kind.UUID, Kind.STR): Conversion(how="convert", back="{}"),
    (Kind.NAIVE_DATETIME, Kind.DATETIME): Conversion(
        how="convert",
        forth="strftime('%Y-%m-%dT%H:%M:%S', {0}) || CASE WHEN instr({0}, '.') > 0 "
        "THEN substr(substr({0}, instr({0}, '.')) || '000000', 1, 7) "
        "ELSE '.000000' END || '+00:00'",
    ),
}


def _sqlite(before: FieldType, after: FieldType) -> Conversion | None:
    pair = before.stored_kind, after.stored_kind
    if Kind.DECIMAL in pair:
        return _sqlite_decimal(before, after)
    if pair in _PLAIN:
        return _PLAIN[pair]
    if pair[0] is not pair[1] or Kind.LIST in pair:
        return None
    return Conversion(how="convert", back="{}")


def _sqlite_decimal(before: FieldType, after: FieldType) -> Conversion | None:
    """Return how to and from Decimals: scaled integers, or text."""
    if before.column is not None or after.column is not None:
        return None
    pair = before.stored_kind, after.stored_kind
    scale, to_scale = _scale(before), _scale(after)
    if {*pair} - {Kind.DECIMAL, Kind.INT, Kind.STR}:
        return None
    is_exact = pair[1] is Kind.STR or _holds(before, after)
    how: How = "convert" if is_exact else "narrow"
    forth, back = _rescaled(scale, to_scale), _rescaled(to_scale, scale)
    if scale is None and pair[1] is not Kind.STR:
        forth = forth.replace("{}", "decimal_add({}, '0', NULL, NULL)")
    limit = after.digits
    if limit is not None and to_scale is not None:
        # More digits than the type has are no value of it: the way back finds NULL.
        back = f"CASE WHEN abs({{0}}) < {10**limit.precision} THEN {back} END"
        back = back.replace("{}", "{0}")
    # Numbers are the same however they are written; text is not.
    is_number = scale is None and pair[0] is Kind.DECIMAL
    collation = "DECIMAL" if is_number else None
    return Conversion(how=how, forth=forth, back=back, collation=collation)


def _scale(type_: FieldType) -> int | None:
    """Return the digits after the point of a stored integer; None of text."""
    match type_.stored_kind:
        case Kind.INT:
            return 0
        case Kind.DECIMAL if type_.digits and type_.digits.precision <= _MAX_SCALED:
            return type_.digits.scale
        case _:
            return None


def _rescaled(scale: int | None, to_scale: int | None) -> str:
    """Return what makes a number of one scale one of another."""
    if scale is None and to_scale is None:
        return "{}"
    if scale is None:
        factor = f"'{10 ** (to_scale or 0)}'"
        return f"CAST(decimal_mul({{}}, {factor}, NULL, NULL) AS INTEGER)"
    if to_scale is None:
        unit = format(Decimal(1).scaleb(-scale), "f")
        return f"decimal_mul(CAST({{}} AS TEXT), '{unit}', NULL, NULL)"
    if to_scale >= scale:
        return f"{{}} * {10 ** (to_scale - scale)}"
    return f"{{}} / {10 ** (scale - to_scale)}"


def _holds(before: FieldType, after: FieldType) -> bool:
    """Whether every value of one Decimal is one of the other."""
    if after.stored_kind is Kind.DECIMAL and after.digits is None:
        return True
    of, into = before.digits, after.digits
    return of is not None and into is not None and _fits(of, into)


def _fits(of: Digits, into: Digits) -> bool:
    whole, to_whole = of.precision - of.scale, into.precision - into.scale
    return into.scale >= of.scale and to_whole >= whole
