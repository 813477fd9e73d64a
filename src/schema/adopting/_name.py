"""Names of models, made of the names of tables."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import Final

__all__ = ["model_name", "singular"]

_WORDS: Final = re.compile(r"[^\W_]+")
_ENDINGS: Final = (
    # What makes the plural, and what stands in its place; the first that fits.
    (re.compile(r"(?i)(?<=[^aeiou])ies$"), "y"),
    (re.compile(r"(?i)yses$"), "ysis"),
    (re.compile(r"(?i)(?<=[ao]us)es$"), "e"),  # houses, clauses
    (re.compile(r"(?i)(?<=ss|us|sh|zz)es$|(?<=x)es$|(?<=[tnr]ch)es$"), ""),
    (re.compile(r"(?i)(?<=oach|each|ouch)es$"), ""),
    (re.compile(r"(?i)(?<=[^su])s$"), ""),
)
_WITH_IE: Final = ("calories", "cookies", "movies", "zombies")
_UNCOUNTED: Final = frozenset({"news", "series", "species", "settings"})


def singular(word: str) -> str:
    """Return one of what *word* names several of; irregular plurals stay."""
    if word.lower() in _UNCOUNTED:
        return word
    if word.lower().endswith(_WITH_IE):
        return word[:-1]
    for ending, instead in _ENDINGS:
        if ending.search(word):
            return ending.sub(instead, word)
    return word


def model_name(table: str) -> str:
    """Return the name of a model for *table*: ``order_items`` is an `OrderItem`."""
    words: list[str] = _WORDS.findall(table)
    if words:
        words[-1] = singular(words[-1])
    name = "".join(word[0].upper() + word[1:] for word in words)
    if not name[:1].isalpha():
        name = f"Table{name}"
    return f"{name}Model" if iskeyword(name) or not name.isidentifier() else name
