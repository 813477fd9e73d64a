"""Where a page of rows goes on, as text that a client can keep.

The text names a place, not rows: the values that the last row of a page has in
the fields of the order. They are checked like any other value when they come
back, and a forged one only asks for another place among the rows that the filter
lets through.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, cast, final

import msgspec

from ...errors import FilterError
from ...models import Field, Kind
from .._codec import UNDECODABLE, codec
from .._dialect import SQLITE
from ._filter import (
    NOTHING,
    Compare,
    Comparison,
    Filter,
    conjunction,
    disjunction,
    negation,
)
from ._operand import is_mapping
from ._order import Term

__all__ = ["Cursor", "after"]

_PATH: Final = "cursor"


@final
class Cursor(msgspec.Struct, frozen=True):
    """A place in an order.

    Attributes:
        mark: Tells which model, order and filter it belongs to.
        values: Those of one row in the order's fields, in the form in which SQLite
            stores them, bytes in hexadecimal: plain JSON for every ordered type.
    """

    mark: str
    values: list[bool | int | float | str | None]

    @classmethod
    def of(cls, terms: Sequence[Term], given: object, row: Mapping[str, Any]) -> Cursor:
        """Return the place of *row*; *given* is the filter as the user wrote it."""
        values = [_packed(term.field, row[term.field.name]) for term in terms]
        return cls(_mark(terms, given), values)

    def text(self) -> str:
        """Return the cursor as URL-safe text."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    @classmethod
    def filter(cls, text: str, terms: Sequence[Term], given: object) -> Filter:
        """Return the filter for what comes after the place *text* names.

        Raises:
            FilterError: Not a cursor, or one of another order or filter.
        """
        try:
            raw = base64.urlsafe_b64decode(text.encode())
            cursor = msgspec.json.decode(raw, type=cls)
        except ValueError as error:
            problem = "not a cursor: pass the next_cursor of the page before"
            raise FilterError(_PATH, problem) from error
        if cursor.mark != _mark(terms, given) or len(cursor.values) != len(terms):
            problem = "belongs to another filter or order: start without a cursor"
            raise FilterError(_PATH, problem)
        values = [
            _unpacked(term.field, value)
            for term, value in zip(terms, cursor.values, strict=True)
        ]
        return after(terms, values)


def after(terms: Sequence[Term], values: Sequence[Any]) -> Filter:
    """Return the filter for what comes after the row with *values*."""
    arms: list[Filter] = []
    same: list[Filter] = []
    for term, value in zip(terms, values, strict=True):
        arms.append(conjunction((*same, _beyond(term, value))))
        same.append(Compare(term.field, Comparison.EQ, value))
    return disjunction(arms)


def _beyond(term: Term, value: object) -> Filter:
    is_null = Compare(term.field, Comparison.EQ, None)
    if value is None:
        return NOTHING if term.has_nulls_last else negation(is_null)
    comparison = Comparison.LT if term.is_descending else Comparison.GT
    beyond = Compare(term.field, comparison, value)
    has_null_beyond = term.has_nulls_last and term.field.is_nullable
    return disjunction((beyond, is_null)) if has_null_beyond else beyond


# -- as text ----------------------------------------------------------------------


def _mark(terms: Sequence[Term], given: object) -> str:
    order = [
        (each.field.model, each.field.name, each.is_descending, each.has_nulls_last)
        for each in terms
    ]
    text = repr((order, _canonical({} if given is None else given))).encode(
        "utf-8", "surrogatepass"
    )
    return sha256(text).hexdigest()[:16]


def _canonical(given: object) -> str:
    """Return text that two filters share only when they are written alike.

    The order of names in a mapping and of members in a set makes no difference:
    that of a set is another one in every process.
    """
    if is_mapping(given):
        pairs = [(str(name), _canonical(value)) for name, value in given.items()]
        return f"{{{sorted(pairs)}}}"
    if isinstance(given, list | tuple):
        return f"[{[_canonical(each) for each in cast('Sequence[object]', given)]}]"
    if isinstance(given, set | frozenset):
        members = cast("frozenset[object]", given)
        return f"<{sorted(map(_canonical, members))}>"
    return repr(given)


def _packed(field: Field, value: object) -> bool | int | float | str | None:
    encode = codec(field.type, SQLITE).encode
    packed = value if encode is None or value is None else encode(value)
    if isinstance(packed, bytes):
        return packed.hex()
    return cast("bool | int | float | str | None", packed)


def _unpacked(field: Field, value: float | str | None) -> object:
    if value is None:
        return None
    try:
        plain = bytes.fromhex(str(value)) if field.type.kind is Kind.BYTES else value
        decode = codec(field.type, SQLITE).decode
        return field.type.check(plain if decode is None else decode(plain))
    except UNDECODABLE as error:  # a forged cursor may hold anything
        raise FilterError(_PATH, "does not fit the order: start anew") from error
