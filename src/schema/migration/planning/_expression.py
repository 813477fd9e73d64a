"""Expressions of a database as text, in which a column gets another name.

Rules of this file: what others wrote is not understood, only read word by word. A word
is the column unless it stands in a string, calls a function, or names a collation or a
type. So says SQLite, where it renames a column itself: names have no case.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["renamed_in"]

_TOKEN: Final = re.compile(
    r"""
    (?P<text>'(?:[^']|'')*')
    | "(?P<quoted>(?:[^"]|"")*)" | \[(?P<bracket>[^\]]*)\] | `(?P<tick>(?:[^`]|``)*)`
    | (?P<word>[^\W\d]\w*) (?P<call>\s*\()?
    """,
    re.VERBOSE,
)
_BEFORE_OTHERS: Final = frozenset({"as", "collate"})


def renamed_in(expression: str, old: str, new: str) -> str:
    """Return *expression* with the column *old* called *new*."""
    previous = ""

    def replaced(found: re.Match[str]) -> str:
        nonlocal previous
        before, previous = previous, found[0].lower()
        if found["word"] is not None:
            is_other = found["call"] is not None or before in _BEFORE_OTHERS
            name = None if is_other else found["word"]
        elif found["quoted"] is not None:
            name = found["quoted"].replace('""', '"')
        elif found["tick"] is not None:
            name = found["tick"].replace("``", "`")
        else:
            name = found["bracket"]
        if name is None or name.casefold() != old.casefold():
            return found[0]
        return '"' + new.replace('"', '""') + '"'

    return _TOKEN.sub(replaced, expression)
