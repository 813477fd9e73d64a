"""The model of the demo, and its rows: what Python knows about each character."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from ..._dataflow import DataFlow
from ...models import field

__all__ = ["Row", "characters", "code_points", "open_dataflow"]

Row = dict[str, Any]

NO_CHARACTERS: Final = frozenset({"Cn", "Co", "Cs"})
"""Categories of code points that stand for no character of their own.

Unassigned, private use, and surrogates; a surrogate cannot be stored as text either.
Source: Unicode Standard, chapter 2.4, table 2-3.
"""

UNNAMED: Final = "<control>"
"""Name of a character that has none. Source: UAX #44, `UnicodeData.txt`, field 1."""


class Character:
    """A character of Unicode."""

    __tablename__ = "unicode_characters"

    code_point: int = field(primary_key=True)
    name: str
    category: str
    bidirectional: str
    decimal: int | None
    east_asian_width: str
    mirrored: bool
    decomposition: str


def open_dataflow(url: str) -> DataFlow:
    """Return a DataFlow on *url* with the model `Character`.

    Raises:
        UrlError: The URL cannot be understood.
    """
    db = DataFlow(url)
    db.model(Character)
    return db


def code_points(limit: int | None = None) -> Iterator[int]:
    """Yield the code points of all characters, or of the first *limit*."""
    every = (
        code_point
        for code_point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code_point)) not in NO_CHARACTERS
    )
    return islice(every, limit)


def characters(limit: int | None = None) -> Iterator[Row]:
    """Yield the rows of all characters, or of the first *limit*."""
    return map(_row, code_points(limit))


def _row(code_point: int) -> Row:
    character = chr(code_point)
    return {
        "code_point": code_point,
        "name": unicodedata.name(character, UNNAMED),
        "category": unicodedata.category(character),
        "bidirectional": unicodedata.bidirectional(character),
        "decimal": unicodedata.decimal(character, None),
        "east_asian_width": unicodedata.east_asian_width(character),
        "mirrored": bool(unicodedata.mirrored(character)),
        "decomposition": unicodedata.decomposition(character),
    }
