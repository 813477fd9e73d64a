"""In which order rows come, and where a page goes on.

NULL is the least value on both databases: first when ascending, last when
descending. The key is always the last word, so that an order is total and a
cursor knows one place in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import FilterError, UnknownFieldError
from ..models import Field, Model
from ._codec import codec
from ._dialect import SQLITE
from ._filter import ALL, NOTHING, And, Compare, Comparison, Filter, Not, Or

__all__ = ["Cursor", "Term", "after", "parse_order"]


class Term(msgspec.Struct, frozen=True, eq=False):
    """One field of an order."""

    field: Field
    is_descending: bool = False


_DIRECTIONS = {1: False, -1: True, "asc": False, "desc": True}


def parse_order(given: object, model: Model) -> tuple[Term, ...]:
    """Return the terms of an order, the key's fields appended.

    Args:
        given: ``"-age, name"``, ``["-age", "name"]``, ``{"age": -1}``, a list of
            such mappings, or a list of ``{"field": "age", "order": "desc"}``.
        model: Whose fields are named.

    Raises:
        FilterError: Unknown field or direction.
    """
    terms: dict[str, Term] = {}
    for name, is_descending in _named(given):
        try:
            field = model.field(name)
        except UnknownFieldError as error:
            raise FilterError("order_by", str(error)) from error
        terms.setdefault(name, Term(field, is_descending))
    for name in model.key:
        terms.setdefault(name, Term(model.field(name)))
    return tuple(terms.values())


def _named(given: object) -> list[tuple[str, bool]]:
    if given is None:
        return []
    if isinstance(given, str):
        return [_signed(part) for part in given.split(",") if part.strip()]
    if isinstance(given, Mapping):
        return _mapped(given)
    if isinstance(given, Sequence):
        return [pair for part in given for pair in _named(part)]
    problem = f"takes names, a list or a mapping, not {type(given).__name__}"
    raise FilterError("order_by", problem)


def _signed(part: str) -> tuple[str, bool]:
    name = part.strip()
    if name[:1] in {"-", "+"}:
        return name[1:].strip(), name[0] == "-"
    words = name.split()
    if len(words) == 2 and words[1].lower() in {"asc", "desc"}:  # noqa: PLR2004  # name, direction
        return words[0], words[1].lower() == "desc"
    return name, False


def _mapped(given: Mapping[Any, Any]) -> list[tuple[str, bool]]:
    if "field" in given and set(given) <= {"field", "order"}:
        return [(str(given["field"]), _direction(given.get("order", "asc")))]
    return [(str(name), _direction(value)) for name, value in given.items()]


def _direction(value: object) -> bool:
    key = value.lower() if isinstance(value, str) else value
    if isinstance(key, str | int) and not isinstance(key, bool) and key in _DIRECTIONS:
        return _DIRECTIONS[key]
    raise FilterError("order_by", "a direction is 1, -1, 'asc' or 'desc'")


def after(terms: Sequence[Term], values: Sequence[Any]) -> Filter:
    """Return the filter for what comes after the row with *values*."""
    arms: list[Filter] = []
    same: list[Filter] = []
    for term, value in zip(terms, values, strict=True):
        beyond = _beyond(term, value)
        if beyond is not NOTHING:
            arms.append(And((*same, beyond)))
        same.append(Compare(term.field, Comparison.EQ, value))
    return Or(tuple(arms))


def _beyond(term: Term, value: Any) -> Filter:
    is_null = Compare(term.field, Comparison.EQ, None)
    if value is None:
        return NOTHING if term.is_descending else Not(is_null)
    if not term.is_descending:
        return Compare(term.field, Comparison.GT, value)
    below = Compare(term.field, Comparison.LT, value)
    return Or((below, is_null)) if term.field.is_nullable else below


class Cursor(msgspec.Struct, frozen=True):
    """A place in an order, as text a client can keep.

    The text holds the order values of one row in their SQLite form, which is
    plain JSON for every type that can be ordered, and a mark of the order and
    filter it belongs to.
    """

    mark: str
    values: list[Any]

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
        except (ValueError, AttributeError) as error:
            problem = "not a cursor: pass the next_cursor of the page before"
            raise FilterError("cursor", problem) from error
        if cursor.mark != _mark(terms, given) or len(cursor.values) != len(terms):
            problem = "belongs to another filter or order: start without a cursor"
            raise FilterError("cursor", problem)
        values = [
            _unpacked(term.field, value)
            for term, value in zip(terms, cursor.values, strict=True)
        ]
        return after(terms, values) if terms else ALL


def _mark(terms: Sequence[Term], given: object) -> str:
    order = [(term.field.name, term.is_descending) for term in terms]
    text = repr((order, given)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]


def _packed(field: Field, value: Any) -> Any:
    if value is None:
        return None
    encode = codec(field.type, SQLITE).encode
    packed = value if encode is None else encode(value)
    return {"b": packed.hex()} if isinstance(packed, bytes) else packed


def _unpacked(field: Field, value: Any) -> Any:
    if value is None:
        return None
    try:
        plain = bytes.fromhex(value["b"]) if isinstance(value, dict) else value
        decode = codec(field.type, SQLITE).decode
        return field.type.check(plain if decode is None else decode(plain))
    except Exception as error:  # a forged cursor may hold anything
        raise FilterError("cursor", "does not fit the order: start anew") from error
