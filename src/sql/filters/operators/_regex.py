r"""The regular expressions that mean the same on both databases.

PostgreSQL reads POSIX advanced expressions, SQLite gets RE2 through a function
of the driver. Allowed is what both read alike: literals, ``.``, groups,
alternation, brackets, the quantifiers ``* + ? {m,n}`` and their lazy forms,
anchors ``^ $`` at the ends of the whole text, and ``\d \w \s \D \W \S``, which mean
ASCII on both. ``.`` and negated brackets match a newline. Everything else is
refused rather than read in two ways.

Source: PostgreSQL 18, §9.7.3 "POSIX Regular Expressions"; RE2 wiki "Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

__all__ = [
    "BRACKET_RANGE",
    "MAX_CHOICES",
    "MAX_PATTERN_LENGTH",
    "MAX_SIZE",
    "TOKEN",
    "in_re2",
    "problem",
]

MAX_PATTERN_LENGTH: Final = 1_000
"""Characters a pattern may have; RE2 compiles this in well under 50 ms."""

MAX_SIZE: Final = 1_000
"""Characters and classes a pattern may have with counted repeats written out.

Source: RE2, parse.cc, ``maximum_repeat_count``; PostgreSQL copies them out too.
"""

MAX_CHOICES: Final = 30
"""Places among these where a quantifier lets the text go on in two ways.

PostgreSQL's time to compile grows with their cube: ``(x?){100}`` takes 10 ms,
``((x?){31}){31}`` 17 s. Measured on 18.
"""

MAX_REPEAT: Final = 255
"""Highest bound of ``{m,n}``. Source: PostgreSQL, regguts.h, DUPMAX."""

_CLASSES: Final = frozenset("dwsDWS")
_ESCAPED: Final = frozenset("\\^$.|?*+()[]{}-/\"'#&~@%,:;<>=!` _")

# One alternative per thing a pattern may hold; what no alternative matches is
# refused. The order matters: brackets and escapes swallow what they contain.
TOKEN: Final = re.compile(
    r"""
      (?P<escape>\\.)
    | (?P<bracket>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<group>\((?:\?:)?(?!\?|\*))
    | (?P<close>\))
    | (?P<repeat>\{(?P<low>\d{1,3})(?P<more>,(?P<high>\d{0,3}))?\}\??)
    | (?P<quantifier>[*+?]\??)
    | (?P<anchor>[\^$])
    | (?P<bar>\|)
    | (?P<sign>[^\\\[\](){}*+?])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BRACKET: Final = re.compile(r"-?(?:(?:\\.|[^\\-])(?:-(?:\\.|[^\\-]))?)*-?", re.DOTALL)
BRACKET_RANGE: Final = re.compile(r"(\\.|[^\\-])(?:-(\\.|[^\\-]))?", re.DOTALL)

# Where `in_re2` looks: escapes, and brackets whole.
_WITH_SPACE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_IN_BRACKET: Final = re.compile(r"\\.", re.DOTALL)
_SPACES: Final = {r"\s": r"[\s\v]", r"\S": r"[^\s\v]"}


class _RefusedError(ValueError):
    """A pattern is outside the common subset."""


def problem(pattern: str) -> str | None:
    """Say why *pattern* is outside the common subset, or None if it is inside."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"a pattern has at most {MAX_PATTERN_LENGTH} characters"
    try:
        _Scan().run(pattern)
    except _RefusedError as error:
        return str(error)
    return None


class _Part:
    """What a stretch of a pattern stands for.

    Attributes:
        size: Characters and classes, counted repeats written out.
        choices: Places where it may go on in two ways: ``x?``, ``x+``, ``(x|)``.
        loose: Places that become such when all of it is repeated: the ``x{0,9}``
            of a repeated group; alone it is one.
        is_anchored: Whether there is an anchor in it.
    """

    __slots__ = ("choices", "is_anchored", "loose", "size")

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.choices = 0
        self.loose = 0
        self.is_anchored = False

    def add(self, size: int, choices: int) -> None:
        """Note that more of it follows."""
        self.size += size
        self.choices += choices
        if self.size > MAX_SIZE or self.choices > MAX_CHOICES:
            msg = (
                f"the pattern stands for over {MAX_SIZE} characters or {MAX_CHOICES} "
                "quantifiers, counted repeats written out"
            )
            raise _RefusedError(msg)

    def append(self, other: _Part) -> None:
        """Note that *other* follows."""
        self.loose += other.loose
        self.is_anchored |= other.is_anchored
        self.add(other.size, other.choices)


class _Scan:
    """One walk over one pattern, which adds up what it stands for as well."""

    def __init__(self) -> None:
        self._open = [_Part()]  # the whole, and each group that is open
        self._atom: _Part | None = None  # what a quantifier here would repeat
        self._is_empty = True  # whether the alternative so far is

    def run(self, pattern: str) -> None:
        """Read the whole of *pattern*."""
        position = 0
        while position < len(pattern):
            token = TOKEN.match(pattern, position)
            if token is None or token.lastgroup is None:
                sign = pattern[position]
                msg = f"{sign!r} is not supported here; escape it if it is meant as is"
                raise _RefusedError(msg)
            _READERS[token.lastgroup](self, token)
            position = token.end()
        if len(self._open) > 1:
            msg = "a group is not closed"
            raise _RefusedError(msg)

    def read_escape(self, token: re.Match[str]) -> None:
        """Read a class or an escaped sign."""
        _check_escape(token[0])
        self._add(_Part(1))

    def read_bracket(self, token: re.Match[str]) -> None:
        """Read a bracket, whole."""
        _check_bracket(token[0][1:-1].removeprefix("^"))
        self._add(_Part(1))

    def read_sign(self, _: re.Match[str]) -> None:
        """Read a literal, or the dot."""
        self._add(_Part(1))

    def read_anchor(self, _: re.Match[str]) -> None:
        """Read ``^`` or ``$``, which cannot be repeated."""
        self._atom, self._is_empty = None, False
        self._open[-1].is_anchored = True

    def read_bar(self, _: re.Match[str]) -> None:
        """End an alternative."""
        self._open[-1].add(0, int(self._is_empty))
        self._atom, self._is_empty = None, True

    def read_group(self, _: re.Match[str]) -> None:
        """Open a group."""
        self._open.append(_Part())
        self._atom, self._is_empty = None, True

    def read_close(self, _: re.Match[str]) -> None:
        """Close a group, which counts as one character at least."""
        if len(self._open) == 1:
            msg = "')' closes no group"
            raise _RefusedError(msg)
        group = self._open.pop()
        group.add(int(group.size == 0), int(self._is_empty))
        self._add(group)

    def read_quantifier(self, token: re.Match[str]) -> None:
        """Read ``*``, ``+`` or ``?``."""
        atom = self._repeatable(token)
        self._open[-1].add(0, atom.loose + 1)

    def read_repeat(self, token: re.Match[str]) -> None:
        """Read ``{m}``, ``{m,}`` or ``{m,n}``."""
        atom = self._repeatable(token)
        low, high = int(token["low"]), int(token["high"] or token["low"])
        if not low <= high <= MAX_REPEAT:
            msg = f"{token[0]!r} is not a valid count (0 to {MAX_REPEAT})"
            raise _RefusedError(msg)
        copies = max(high, 1)
        is_exact = low == high and token["high"] != ""
        choices = (atom.choices + atom.loose) * copies - atom.choices + (not is_exact)
        self._open[-1].loose += copies - low
        self._open[-1].add(atom.size * (copies - 1), choices)

    def _add(self, atom: _Part) -> None:
        self._atom, self._is_empty = atom, False
        self._open[-1].append(atom)

    def _repeatable(self, token: re.Match[str]) -> _Part:
        """Return what *token* repeats; a second quantifier would repeat nothing."""
        atom, self._atom = self._atom, None
        if atom is None:
            msg = f"{token[0]!r} repeats nothing"
            raise _RefusedError(msg)
        if atom.is_anchored:
            # PostgreSQL takes exponential time to compile some of these.
            msg = f"{token[0]!r} repeats an anchor"
            raise _RefusedError(msg)
        return atom


_READERS: Final[Mapping[str, Callable[[_Scan, re.Match[str]], None]]] = {
    "escape": _Scan.read_escape,
    "bracket": _Scan.read_bracket,
    "group": _Scan.read_group,
    "close": _Scan.read_close,
    "repeat": _Scan.read_repeat,
    "quantifier": _Scan.read_quantifier,
    "anchor": _Scan.read_anchor,
    "bar": _Scan.read_bar,
    "sign": _Scan.read_sign,
}


def _check_escape(escape: str) -> None:
    if escape[1] not in _CLASSES and escape[1] not in _ESCAPED:
        msg = f"the escape {escape!r} does not mean the same on both databases"
        raise _RefusedError(msg)


def _check_bracket(inside: str) -> None:
    """Check what a bracket holds, without its ``^``.

    A bare hyphen is refused wherever it might not be that of a range.
    """
    if not inside:
        msg = "a bracket is not closed, or empty"
        raise _RefusedError(msg)
    if any(mark in inside for mark in ("[:", "[.", "[=")):
        msg = "named classes such as [:alpha:] are not supported"
        raise _RefusedError(msg)
    if not _BRACKET.fullmatch(inside):
        msg = f"'-' inside [{inside}] is no range; escape it if it is meant as is"
        raise _RefusedError(msg)
    for low, high in BRACKET_RANGE.findall(inside):
        _check_member(low)
        if high:
            _check_member(high)
            _check_range(low, high)


def _check_member(member: str) -> None:
    if member[0] != "\\":
        return
    _check_escape(member)
    # PostgreSQL refuses negated classes inside brackets.
    if member[1] in "DWS":
        msg = f"{member!r} inside a bracket is not supported"
        raise _RefusedError(msg)


def _check_range(low: str, high: str) -> None:
    is_class = any(end[0] == "\\" and end[1] in _CLASSES for end in (low, high))
    if is_class or low[-1] > high[-1]:
        msg = f"the range {low}-{high} holds nothing"
        raise _RefusedError(msg)


def in_re2(pattern: str) -> str:
    r"""Return the pattern as RE2 reads what PostgreSQL reads in *pattern*.

    For PostgreSQL a vertical tab is white space too.
    """
    return _WITH_SPACE.sub(_with_vertical_tab, pattern)


def _with_vertical_tab(found: re.Match[str]) -> str:
    text = found[0]
    if text in _SPACES:
        return _SPACES[text]
    if text[0] == "[":
        return _IN_BRACKET.sub(_member_with_vertical_tab, text)
    return text


def _member_with_vertical_tab(found: re.Match[str]) -> str:
    return r"\s\v" if found[0] == r"\s" else found[0]
