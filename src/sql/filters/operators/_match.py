r"""How text is held against a pattern on each database, as a table.

SQLite's own LIKE folds the case of ASCII letters, so ``LIKE`` becomes GLOB there,
which does not; both match code points, and both give up early where a star cannot
help. The other matchings compare text with text, so nothing needs an escape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from ..._dialect import POSTGRESQL, SQLITE
from .._filter import Matching
from ._regex import in_re2

__all__ = ["MATCHES", "Template", "glob"]


def glob(like: str) -> str:
    """Return the GLOB pattern of a LIKE pattern with backslash escapes."""
    out: list[str] = []
    rest = iter(like)
    for sign in rest:
        if sign in _SIGNS:
            out.append(_SIGNS[sign])
            continue
        literal = next(rest) if sign == "\\" else sign
        # GLOB has no escape; a bracket around its own signs makes them literal.
        out.append(f"[{literal}]" if literal in "*?[" else literal)
    return "".join(out)


_SIGNS: Final = {"%": "*", "_": "?"}


class Template(msgspec.Struct, frozen=True):
    """The text of one matching on one database.

    Attributes:
        text: With ``{column}`` and ``{place}``, the placeholder of the pattern.
        convert: Makes what the database reads of the user's pattern.
    """

    text: str
    convert: Callable[[str], str] = str


MATCHES: Final[Mapping[str, Mapping[Matching, Template]]] = {
    POSTGRESQL.name: {
        Matching.LIKE: Template(r"{column} LIKE {place} ESCAPE '\'"),
        # The C collation makes \d, \w and \s mean ASCII, as RE2 has it.
        Matching.REGEX: Template('{column} COLLATE "C" ~ {place}'),
        Matching.CONTAINS: Template("strpos({column}, {place}) > 0"),
        Matching.STARTS_WITH: Template("starts_with({column}, {place})"),
        Matching.ENDS_WITH: Template(
            "right({column}, length({place}::text)) = {place}::text"
        ),
    },
    SQLITE.name: {
        Matching.LIKE: Template("{column} GLOB {place}", glob),
        Matching.REGEX: Template("{column} REGEXP {place}", in_re2),
        Matching.CONTAINS: Template("instr({column}, {place}) > 0"),
        Matching.STARTS_WITH: Template(
            "substr({column}, 1, length({place})) = {place}"
        ),
        Matching.ENDS_WITH: Template(
            "substr({column}, length({column}) - length({place}) + 1) = {place}"
        ),
    },
}
