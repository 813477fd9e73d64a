"""Where a page of rows goes on, as text that a client can keep.

The text names a place, not rows: the values that the last row of a page has in
the fields of the order. It is signed, so that only what was handed out comes back,
and only to the model, order, filter and scope that it was made for. The values are
checked like any others all the same: a field may have got another type meanwhile.

What comes after a place is asked for in a way that an index serves. Source:
PostgreSQL, §24.4 `Row Constructor Comparison` and indxpath.c,
`expand_indexqual_rowcompare`; sqlite.org/rowvalue.html, §3.2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, cast, final

import msgspec

from ...errors import FilterError
from ...models import Field, Kind
from .._codec import UNDECODABLE, codec
from .._dialect import SQLITE
from ._filter import (
    NOTHING,
    Compare,
    CompareRow,
    Comparison,
    Filter,
    conjunction,
    disjunction,
    negation,
)
from ._order import Term
from .operators import is_mapping

__all__ = ["Cursor", "after"]

_PATH: Final = "cursor"

_MISFIT: Final = "does not fit the order any more: start without a cursor"

_SIGNATURE: Final = 16
"""Bytes of a signature: nobody guesses 128 bits."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

_MARK: Final = 8
"""Bytes of a mark, which is signed: it is to differ by itself, not to withstand anybody."""

_MARKS: Final = 256
"""Orders whose marks are kept."""

_KEYS: Final = 8
"""Keys with which signing is begun: one for each database, or for all of them."""

_PURPOSE: Final = b"dataflow cursor"
"""Goes into the signature, so that the key's signatures of other things are none."""


@final
class Cursor(msgspec.Struct, frozen=True):
    """A place in an order.

    Attributes:
        mark: Tells which model, order, filter and scope it belongs to.
        values: Those of one row in the order's fields, in the form in which SQLite
            stores them, bytes in hexadecimal: plain JSON for every ordered type.
    """

    mark: str
    values: list[bool | int | float | str | None]

    @classmethod
    def of(
        cls,
        terms: Sequence[Term],
        given: object,
        row: Mapping[str, Any],
        *,
        scope: str | None = None,
    ) -> Cursor:
        """Return the place of *row*.

        Args:
            terms: The order.
            given: The filter as the user wrote it.
            row: Values by name.
            scope: Within which it is of use, such as a tenant; None for everywhere.
        """
        values = [_packed(term.field, row[term.field.name]) for term in terms]
        return cls(_mark(terms, given, scope), values)

    def text(self, key: bytes) -> str:
        """Return the cursor as URL-safe text, signed with *key*."""
        raw = msgspec.json.encode(self)
        return _encoded(_signature(raw, key) + raw)

    @classmethod
    def filter(
        cls,
        text: str,
        terms: Sequence[Term],
        given: object,
        *,
        key: bytes,
        scope: str | None = None,
    ) -> Filter:
        """Return the filter for what comes after the place *text* names.

        Args:
            text: What `text` gave.
            terms: The order.
            given: The filter as the user wrote it.
            key: With which the text was signed.
            scope: Within which it was made.

        Raises:
            FilterError: Not a cursor that was signed with *key*, or one of another
                order, filter or scope.
        """
        cursor = cls._read(text, key)
        if cursor.mark != _mark(terms, given, scope):
            problem = (
                "belongs to another filter or order, model or tenant: start without "
                "a cursor"
            )
            raise FilterError(_PATH, problem)
        if len(cursor.values) != len(terms):
            raise FilterError(_PATH, _MISFIT)
        values = [
            _unpacked(term.field, value)
            for term, value in zip(terms, cursor.values, strict=True)
        ]
        return after(terms, values)

    @classmethod
    def _read(cls, text: str, key: bytes) -> Cursor:
        """Return the cursor in *text*; nothing of it is looked at before its signature."""
        try:
            signed = _decoded(text)
            raw = signed[_SIGNATURE:]
            if hmac.compare_digest(_signature(raw, key), signed[:_SIGNATURE]):
                return msgspec.json.decode(raw, type=cls)
        except ValueError:
            pass
        problem = (
            "not a cursor that was made here, or changed since: pass the next_cursor "
            "of the page before as it came, or start without a cursor. Processes that "
            "take each other's cursors need the same cursor_key"
        )
        raise FilterError(_PATH, problem)


# -- what comes after --------------------------------------------------------------


def after(terms: Sequence[Term], values: Sequence[Any]) -> Filter:
    """Return the filter for what comes after the row with *values*."""
    first, value = terms[0], values[0]
    if len(terms) > 1 and _are_one_row(terms, values):
        fields = tuple(term.field for term in terms)
        return CompareRow(fields, _direction(first), tuple(values))
    places = _places(terms, values)
    if len(terms) == 1 or value is None or _has_null_beyond(first):
        return places
    # It says nothing new, but an index finds where to begin by it, which the
    # alternatives behind it hide.
    comparison = Comparison.LTE if first.is_descending else Comparison.GTE
    return conjunction((Compare(first.field, comparison, value), places))


def _are_one_row(terms: Sequence[Term], values: Sequence[Any]) -> bool:
    """Whether the terms are compared like one value: the first that differs decides.

    A NULL in a row makes the comparison unknown, so it is not let through. That is
    right where NULL comes before every value.
    """
    is_descending = terms[0].is_descending
    return all(
        value is not None
        and term.is_descending == is_descending
        and not _has_null_beyond(term)
        for term, value in zip(terms, values, strict=True)
    )


def _has_null_beyond(term: Term) -> bool:
    """Whether NULL may come after a value."""
    return term.has_nulls_last and term.field.is_nullable


def _direction(term: Term) -> Comparison:
    return Comparison.LT if term.is_descending else Comparison.GT


def _places(terms: Sequence[Term], values: Sequence[Any]) -> Filter:
    """Spell out: beyond in the first term, or the same there and beyond in the next."""
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
    beyond = Compare(term.field, _direction(term), value)
    return disjunction((beyond, is_null)) if _has_null_beyond(term) else beyond


# -- as text ----------------------------------------------------------------------


def _encoded(raw: bytes) -> str:
    # As `base64.urlsafe_b64encode`, without two functions in between.
    text = binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE)
    return text.rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Return the bytes in *text*, which has one spelling.

    Raises:
        ValueError: It has another, or none.
    """
    raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    if _encoded(raw) != text:
        msg = "no base64, or not in its usual spelling"
        raise ValueError(msg)
    return raw


def _signature(raw: bytes, key: bytes) -> bytes:
    signing = _begun(key).copy()
    signing.update(raw)
    return signing.digest()


@lru_cache(_KEYS)
def _begun(key: bytes) -> blake2b:
    """Return what a signature begins with.

    BLAKE2 takes a key itself, where HMAC is a Python class around a hash: copied, this
    signs in 1 us, and that in 3. Source: RFC 7693, §2.9.
    """
    if len(key) > blake2b.MAX_KEY_SIZE:
        key = blake2b(key).digest()
    return blake2b(key=key, person=_PURPOSE, digest_size=_SIGNATURE)


def _mark(terms: Sequence[Term], given: object, scope: str | None) -> str:
    if given is None and scope is None and isinstance(terms, tuple):
        return _mark_of_all(terms)
    return _make_mark(terms, given, scope)


@lru_cache(_MARKS)
def _mark_of_all(terms: tuple[Term, ...]) -> str:
    """Return the mark of every row in an order, which takes 2 us to make."""
    return _make_mark(terms, None, None)


def _make_mark(terms: Sequence[Term], given: object, scope: str | None) -> str:
    asked: object = {} if given is None else given
    mark = _mark_of_order(tuple(terms)).copy()
    mark.update(_encoder.encode((asked, scope)))
    return mark.hexdigest()


@lru_cache(_MARKS)
def _mark_of_order(terms: tuple[Term, ...]) -> blake2b:
    """Return what a mark begins with."""
    order = [
        (each.field.model, each.field.name, each.is_descending, each.has_nulls_last)
        for each in terms
    ]
    return blake2b(_encoder.encode(order), digest_size=_MARK)


def _written_out(given: object) -> object:
    """Return what JSON holds for a part of a filter that it does not know."""
    if is_mapping(given):
        return dict(given)
    return [type(given).__name__, repr(given)]


_encoder: Final = msgspec.json.Encoder(order="deterministic", enc_hook=_written_out)
"""Text that two filters share only when they ask the same.

The order of names in a mapping and of members in a set makes no difference: that of a
set is another one in every process. A date and its text are alike here, as for no
field both are taken. This takes 2 us where `repr` of sorted parts took 8.
"""


def _packed(field: Field, value: object) -> bool | int | float | str | None:
    if type(value) is int and field.type.kind is Kind.INT:
        return value  # as most keys
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
    except UNDECODABLE as error:  # the type may have been another one
        raise FilterError(_PATH, _MISFIT) from error
