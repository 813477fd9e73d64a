"""The regular expressions that mean the same on both databases.

PostgreSQL reads POSIX advanced expressions, SQLite gets RE2 through a function
of the driver. Allowed is what both read alike: literals, ``.``, groups,
alternation, brackets, the quantifiers ``* + ? {m,n}`` and their lazy forms,
anchors ``^ $`` at the ends of the whole text, and ``\\d \\w \\s \\D \\W \\S``, which mean
ASCII on both. ``.`` and negated brackets match a newline. Everything else is
refused rather than read in two ways.

Source: PostgreSQL 18, §9.7.3 "POSIX Regular Expressions"; RE2 wiki "Syntax".
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_PATTERN_LENGTH", "problem"]

MAX_PATTERN_LENGTH: Final = 1_000
"""Characters a pattern may have; RE2 compiles this in well under 50 ms."""

MAX_REPEAT: Final = 255
"""Highest bound of ``{m,n}``. Source: PostgreSQL's DUPMAX."""

_CLASSES: Final = frozenset("dwsDWS")
_ESCAPED: Final = frozenset("\\^$.|?*+()[]{}-/\"'#&~@%,:;<>=!` _")

# One alternative per thing a pattern may hold; what no alternative matches is
# refused. The order matters: brackets and escapes swallow what they contain.
_TOKEN: Final = re.compile(
    r"""
      (?P<escape>\\.)
    | (?P<bracket>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<group>\((?:\?:)?(?!\?|\*))
    | (?P<repeat>\{(?P<low>\d{1,3})(?:,(?P<high>\d{0,3}))?\}\??)
    | (?P<quantifier>[*+?]\??)
    | (?P<plain>[^\\\[\](){}*+?])
    | (?P<close>\))
    """,
    re.VERBOSE | re.DOTALL,
)


def problem(pattern: str) -> str | None:
    """Say why *pattern* is outside the common subset, or None if it is inside."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"a pattern has at most {MAX_PATTERN_LENGTH} characters"
    if pattern.startswith("***"):
        return "`***` is not supported"
    position, depth, can_repeat = 0, 0, False
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        wrong = _wrong(token, pattern[position], can_repeat=can_repeat, depth=depth)
        if wrong is not None or token is None:
            return wrong
        depth += (token["group"] is not None) - (token["close"] is not None)
        can_repeat = _can_repeat(token)
        position = token.end()
    return "a group is not closed" if depth else None


def _can_repeat(token: re.Match[str]) -> bool:
    """Whether a quantifier may follow *token*."""
    if token["plain"] is not None:
        return token["plain"] not in "^$|"
    return token.lastgroup in {"escape", "bracket", "close"}


def _wrong(
    token: re.Match[str] | None, sign: str, *, can_repeat: bool, depth: int
) -> str | None:
    if token is None:
        return f"{sign!r} is not supported here; escape it if it is meant literally"
    if token["escape"] is not None:
        return _wrong_escape(token["escape"])
    if token["bracket"] is not None:
        return _wrong_bracket(token["bracket"])
    if token["close"] is not None and depth == 0:
        return "')' closes no group"
    if token["repeat"] is not None:
        return _wrong_repeat(token, can_repeat=can_repeat)
    if token["quantifier"] is not None and not can_repeat:
        return f"{token['quantifier']!r} repeats nothing"
    return None


def _wrong_escape(escape: str) -> str | None:
    if escape[1] in _CLASSES or escape[1] in _ESCAPED:
        return None
    return f"the escape {escape!r} does not mean the same on both databases"


def _wrong_bracket(bracket: str) -> str | None:
    inside = bracket[1:-1]
    if any(mark in inside for mark in ("[:", "[.", "[=")):
        return "named classes such as [:alpha:] are not supported"
    if inside in {"", "^"}:
        return "a bracket must hold something"
    for escape in re.findall(r"\\.", inside, re.DOTALL):
        # PostgreSQL refuses negated classes inside brackets.
        if escape[1] in "DWS":
            return f"{escape!r} inside a bracket is not supported"
        if (wrong := _wrong_escape(escape)) is not None:
            return wrong
    return _wrong_range(inside)


def _wrong_range(inside: str) -> str | None:
    for low, high in re.findall(r"([^\\^-])-([^\\\]-])", inside):
        if low > high:
            return f"the range {low}-{high} is empty"
    return None


def _wrong_repeat(token: re.Match[str], *, can_repeat: bool) -> str | None:
    if not can_repeat:
        return f"{token['repeat']!r} repeats nothing"
    low, high = int(token["low"]), token["high"]
    if max(low, int(high or 0)) > MAX_REPEAT or (high and int(high) < low):
        return f"{token['repeat']!r} is not a valid count (0 to {MAX_REPEAT})"
    return None
