"""What the statements of both databases are made of.

Text is made of the model's own names, quoted; a name as a value is a quoted literal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

__all__ = ["digest", "joined", "literal", "object_text"]

_DIGEST: Final = 12


def digest(told: object) -> str:
    """Return a short name for what *told* says."""
    return sha256(str(told).encode()).hexdigest()[:_DIGEST]


def literal(text: str) -> str:
    """Return a name as a value in SQL; it holds letters, digits and underscores."""
    return "'" + text.replace("'", "''") + "'"


def object_text(members: Iterable[tuple[str, str]]) -> str:
    """Return an expression for an object of JSON.

    Functions that make one take a hundred arguments only, on both databases.

    Args:
        members: Names, and expressions for the text of their values; at least one.
    """
    texts: list[str] = []
    for n, (name, value) in enumerate(members):
        texts += [literal(f'{"," if n else "{"}"{name}":'), value]
    return joined([*texts, "'}'"])


def joined(texts: Sequence[str]) -> str:
    """Return an expression that joins texts.

    In halves: SQLite takes expressions a thousand deep, SQLITE_MAX_EXPR_DEPTH.
    """
    if len(texts) == 1:
        return texts[0]
    middle = len(texts) // 2
    return f"({joined(texts[:middle])} || {joined(texts[middle:])})"
