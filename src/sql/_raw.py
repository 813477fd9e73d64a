"""SQL that a user wrote, made ready for either database.

Rules of this file: the text is read as far as needed to see what is a placeholder
and what only looks like one, inside strings, quoted names and comments; the
database judges the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from itertools import zip_longest
from typing import Any, Final
from uuid import UUID

from ..models import FieldType, Kind, encode_json
from ._codec import Convert, codec
from ._dialect import SQLITE, Dialect
from ._statement import Statement

__all__ = ["raw_statement"]

_OPAQUE: Final = (
    r"'(?:[^']|'')*'",
    r'"(?:[^"]|"")*"',
    r"`(?:[^`]|``)*`",  # a name, as MySQL and SQLite quote it
    r"--[^\n]*",
    r"/\*.*?(?:\*/|\Z)",
)
# A name may hold a dollar; only the group of digits is a placeholder.
_PLACE: Final = re.compile(
    "|".join((*_OPAQUE, r"[^\W\d][\w$]*", r"\$(\d+)")), re.DOTALL
)
_PIECE: Final = re.compile("|".join((*_OPAQUE, r"([^\W\d][\w$]*|[()])")), re.DOTALL)

_CHANGING: Final = frozenset({"insert", "update", "delete", "merge", "replace"})
_READING: Final = frozenset({"select", "values", "table"})
_TELLING: Final = frozenset({"show", "explain", "pragma", "fetch", "call", "execute"})


def raw_statement(text: str, values: Iterable[Any], dialect: Dialect) -> Statement:
    """Return the statement of *text* with ``$1``, ``$2`` … placeholders.

    SQLite gets its own placeholders, and values in the form in which models store
    them; a `Decimal` of up to 18 fixed digits, which they store as an integer, it
    gets as text. PostgreSQL's client knows all types but members of an Enum.
    """
    returns_rows = _returns_rows(text)
    if dialect is not SQLITE:
        plain = tuple(map(_plain, values))
        return Statement(text, plain, returns_rows=returns_rows)
    return Statement(
        _PLACE.sub(_numbered, text),
        tuple(map(_stored, values)),
        returns_rows=returns_rows,
    )


def _numbered(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else f"?{found[1]}"


# -- what a statement gives -------------------------------------------------------


def _returns_rows(text: str) -> bool:
    """Whether *text* yields rows; one that changes rows does so if it is asked to.

    Only a statement known to yield none may say no: its rows would be lost.
    """
    words = _outer_words(text)
    if "returning" in words:
        return True
    if not words or words[0] != "with":
        return bool(words) and words[0] in _READING | _TELLING
    # In `WITH name AS (...)` a name may read like a verb.
    pairs = zip_longest(words, words[1:])
    verbs = (word for word, following in pairs if following != "as")
    return next((False for verb in verbs if verb in _CHANGING), True)


def _outer_words(text: str) -> list[str]:
    """Return the words outside of brackets, in lower case.

    Brackets around the whole of the first query are no brackets.
    """
    words: list[str] = []
    depth = 0
    for piece in (found[1] for found in _PIECE.finditer(text) if found[1]):
        if piece == "(":
            depth += bool(words)
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            words.append(piece.lower())
    return words


# -- values -----------------------------------------------------------------------


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


@singledispatch
def _stored(value: object) -> object:
    """Return *value* as SQLite's client takes it."""
    return value


@_stored.register
def _(value: Enum) -> object:
    return _stored(value.value)


@_stored.register
def _(value: datetime) -> object:
    # In UTC the text of instants sorts; a naive one stays as it is.
    return _encode_datetime(value if value.tzinfo is None else value.astimezone(UTC))


def _encoder(kind: Kind, type_: type) -> Convert:
    encode = codec(FieldType(kind, type_), SQLITE).encode
    assert encode is not None, "SQLite has no type for it"  # noqa: S101
    return encode


_encode_datetime: Final = _encoder(Kind.DATETIME, datetime)

for _kind, _type in (
    (Kind.BOOL, bool),
    (Kind.DATE, date),
    (Kind.TIME, time),
    (Kind.TIMEDELTA, timedelta),
    (Kind.DECIMAL, Decimal),
    (Kind.UUID, UUID),
):
    _stored.register(_type, _encoder(_kind, _type))
for _json in (dict, list, tuple):
    _stored.register(_json, encode_json)
