"""Text and patterns without regard to case, the same on every database.

Databases fold case in their own ways, by their own tables and settings. So it is
done here: a letter becomes the bracket of all letters that differ from it in case
only, and what is left for a database to do is a plain search. Letters are held
against letters one by one, as in Unicode's simple case folding: ``ß`` is ``ẞ`` but
not ``ss``.

Source: The Unicode Standard, 5.18, "Case Folding"; the tables are Python's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Final

from ._regex import BRACKET_RANGE, TOKEN

__all__ = [
    "MAX_FOLDED",
    "MAX_WILDCARDS",
    "folded_like",
    "folded_pattern",
    "folded_text",
]

MAX_FOLDED: Final = 1_000
"""Characters of text to look for without regard to case."""

MAX_WILDCARDS: Final = 30
"""Percent signs of a LIKE pattern without regard to case: ``.*`` of a pattern."""

_LAST_CASED: Final = 0x1_FFFF
"""No letter behind it has a case. Source: Unicode 16, CaseFolding.txt."""

_SPECIAL: Final = frozenset("\\^$.|?*+()[]{}")
_RUN: Final = 3  # letters in a row that are shorter written as a range


def folded_text(text: str) -> str:
    """Return the pattern that finds *text*, whatever its case."""
    return "".join(map(_letter, text))


def folded_like(like: str) -> str:
    """Return the pattern of a LIKE pattern with backslash escapes."""
    out: list[str] = []
    rest = iter(like)
    for sign in rest:
        if sign == "\\":
            out.append(_letter(next(rest)))
        else:
            out.append(_WILDCARDS.get(sign) or _letter(sign))
    written = [word for word, again in groupby(out) for word in _once(word, again)]
    return f"^{''.join(written)}$"


_WILDCARDS: Final = {"%": ".*", "_": "."}


def _once(word: str, again: Iterable[str]) -> Iterable[str]:
    """Write one ``.*`` for several: they find the same."""
    return (word,) if word == ".*" else again


def folded_pattern(pattern: str) -> str:
    """Return what finds the same as *pattern*, whatever the case of its letters."""
    return "".join(map(_token, TOKEN.finditer(pattern)))


def _token(token: re.Match[str]) -> str:
    text = token[0]
    if token.lastgroup == "sign":
        return _bracket(text) if text in _alike() else text
    if token.lastgroup == "bracket":
        head = "[^" if text.startswith("[^") else "["
        return head + BRACKET_RANGE.sub(_range, text[len(head) : -1]) + "]"
    return text


def _letter(sign: str) -> str:
    if sign in _alike():
        return _bracket(sign)
    return f"\\{sign}" if sign in _SPECIAL else sign


def _bracket(letter: str) -> str:
    return f"[{_alike()[letter]}]"


def _range(found: re.Match[str]) -> str:
    """Write what differs in case only behind a letter or a range in a bracket."""
    low, high = found[1], found[2] or found[1]
    if len(low) > 1 and found[2] is None:
        return found[0]  # a class, or a sign that has no case
    first, last = low[-1], high[-1]
    if first == last:
        within = _alike().get(first, "")
    else:
        within = "".join(
            alike for each, alike in _alike().items() if first <= each <= last
        )
    more = {each for each in within if not first <= each <= last}
    return found[0] + _ranges(sorted(map(ord, more)))


def _ranges(codes: list[int]) -> str:
    out: list[str] = []
    for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]):
        letters = [chr(code) for _, code in group]
        is_run = len(letters) >= _RUN
        out.append(f"{letters[0]}-{letters[-1]}" if is_run else "".join(letters))
    return "".join(out)


@cache
def _alike() -> Mapping[str, str]:
    """Return, for each letter that has a case, all that differ from it in that only."""
    signs = map(chr, range(_LAST_CASED + 1))
    classes: dict[str, set[str]] = {}
    for sign in [each for each in signs if each.casefold() != each]:
        folded = _fold(sign)
        classes.setdefault(folded, {folded}).add(sign)
    return {
        sign: "".join(sorted(alike))
        for alike in classes.values()
        if len(alike) > 1
        for sign in alike
    }


def _fold(sign: str) -> str:
    for folded in (sign.casefold(), sign.lower()):
        if len(folded) == 1:
            return folded
    return sign
