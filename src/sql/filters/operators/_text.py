"""What may be asked of text, as a table.

What PostgreSQL and SQLite have no common way for is a regular expression: text
without regard to case is one whose letters are brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ....errors import FilterError
from ....models import Kind
from .._filter import Filter, Match, Matching, Subject
from ._fold import (
    MAX_FOLDED,
    MAX_WILDCARDS,
    folded_like,
    folded_pattern,
    folded_text,
)
from ._operand import Reader, checked
from ._regex import problem

__all__ = ["MAX_TEXT_PATTERN", "TEXT_OPERATORS", "regex_with_options"]

MAX_TEXT_PATTERN: Final = 10_000
"""Characters that `$like` takes.

SQLite's GLOB takes 50 000 bytes, and a character becomes four at most.
Source: sqlite.org/limits.html, SQLITE_MAX_LIKE_PATTERN_LENGTH.
"""


def _matching(
    matching: Matching,
    wrong: Callable[[str], str | None],
    convert: Callable[[str], str] = str,
) -> Reader:
    def read(field: Subject, value: object, path: str) -> Filter:
        if field.type.kind is not Kind.STR:
            raise FilterError(path, f"works on text, not on {field.type.describe()}")
        pattern: str = checked(field, value, path)
        why = wrong(pattern)
        if why is not None:
            raise FilterError(path, why)
        return Match(field, matching, convert(pattern))

    return read


def _wrong_like(pattern: str) -> str | None:
    """Refuse an escape of nothing: PostgreSQL raises where SQLite matches nothing."""
    if len(pattern) > MAX_TEXT_PATTERN:
        return f"a pattern has at most {MAX_TEXT_PATTERN} characters"
    if pattern.replace("\\\\", "").endswith("\\"):
        return "ends in a backslash that escapes nothing"
    return None


def _wrong_folded_like(pattern: str) -> str | None:
    if pattern.count("%") > MAX_WILDCARDS:
        return f"a pattern without regard to case has at most {MAX_WILDCARDS} '%'"
    return _wrong_folded(pattern) or _wrong_like(pattern)


def _wrong_folded(text: str) -> str | None:
    if len(text) > MAX_FOLDED:
        return f"without regard to case text has at most {MAX_FOLDED} characters"
    return None


def _any_text(_: str) -> str | None:
    return None


def _found_first(text: str) -> str:
    return f"^{folded_text(text)}"


def _found_last(text: str) -> str:
    return f"{folded_text(text)}$"


_regex: Final = _matching(Matching.REGEX, problem)
_folded_regex: Final = _matching(Matching.REGEX, problem, folded_pattern)


def regex_with_options(
    field: Subject, value: object, options: object, path: str
) -> Filter:
    """Read `$regex` beside `$options`: ``i`` for any case, ``s`` is always on.

    Args:
        field: What is searched.
        value: The pattern.
        options: The letters.
        path: That of the field.
    """
    if not isinstance(options, str) or set(options) - {"i", "s"}:
        raise FilterError(f"{path}.$options", "takes 'i' (any case), 's' or both")
    read = _folded_regex if "i" in options else _regex
    return read(field, value, f"{path}.$regex")


TEXT_OPERATORS: Final[Mapping[str, Reader]] = {
    "$like": _matching(Matching.LIKE, _wrong_like),
    "$ilike": _matching(Matching.REGEX, _wrong_folded_like, folded_like),
    "$regex": _regex,
    "$contains": _matching(Matching.CONTAINS, _any_text),
    "$icontains": _matching(Matching.REGEX, _wrong_folded, folded_text),
    "$startsWith": _matching(Matching.STARTS_WITH, _any_text),
    "$istartsWith": _matching(Matching.REGEX, _wrong_folded, _found_first),
    "$endsWith": _matching(Matching.ENDS_WITH, _any_text),
    "$iendsWith": _matching(Matching.REGEX, _wrong_folded, _found_last),
}
"""What stands behind text, by name."""
