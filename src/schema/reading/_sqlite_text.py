"""What of a table of SQLite stands only in the text that made it.

Its pragmas tell neither collations, checks and generated expressions, nor the names of
constraints. The text was accepted by SQLite, so nothing here judges it: it is cut into
words, and these into the parts between commas.
Source: sqlite.org/lang_createtable.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

__all__ = ["ColumnText", "IndexText", "TableText", "read_index", "read_table"]

_WORD: Final = re.compile(
    r"""
    \s+ | --[^\n]* | /\*.*?(?:\*/|\Z)                     # nothing
    | (?P<word>
        "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\]      # a quoted name
      | '(?:[^']|'')*'                                    # text
      | [^\W\d][\w$]*                                     # a bare name
      | [0-9.][\w.]*
      | .
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_TABLE_CONSTRAINTS: Final = frozenset(
    {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
)
_QUOTES: Final = {'"': '""', "`": "``", "'": "''"}


class Word(msgspec.Struct, frozen=True):
    """One word of the text.

    Attributes:
        text: As written.
        start: Where it begins in the whole text.
        end: Where it ends.
    """

    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """In capitals, as keywords are compared; a quoted name is none."""
        return self.text.upper()

    @property
    def name(self) -> str:
        """The name it means, without quotes."""
        first = self.text[0]
        if first == "[":
            return self.text[1:-1]
        if first in _QUOTES:
            return self.text[1:-1].replace(_QUOTES[first], first)
        return self.text


Words = Sequence[Word]


class ColumnText(msgspec.Struct, frozen=True, kw_only=True):
    """What the text says of one column.

    Attributes:
        collation: Its collation, or None.
        generated: The expression it is computed from, or None.
        is_autoincrement: Whether ``AUTOINCREMENT`` stands behind its key.
    """

    collation: str | None = None
    generated: str | None = None
    is_autoincrement: bool = False


class TableText(msgspec.Struct, frozen=True, kw_only=True):
    """What the text says of a table.

    Attributes:
        columns: By name.
        checks: Name and condition of each check.
        key: The name of the primary key's constraint, or None.
        uniques: Names of unique constraints by their columns.
        foreign_keys: Of each, its columns, its name, and whether it is deferrable.
    """

    columns: dict[str, ColumnText]
    checks: tuple[tuple[str | None, str], ...]
    key: str | None
    uniques: dict[tuple[str, ...], str]
    foreign_keys: dict[tuple[str, ...], tuple[str | None, bool]]


class IndexText(msgspec.Struct, frozen=True):
    """What the text says of an index.

    Attributes:
        parts: Each as written, without direction.
        where: Its condition, or None.
    """

    parts: tuple[str, ...]
    where: str | None


def read_table(text: str) -> TableText:
    """Read the text of a ``CREATE TABLE``; ``CREATE VIRTUAL TABLE`` says nothing."""
    reader = _TableReader(text)
    words = list(_words(text))
    start = _first(words, "(")
    is_virtual = any(word.upper == "VIRTUAL" for word in words[:2])
    if start is not None and not is_virtual:
        for part in _parts(_inside(words, start)):
            reader.read(part)
    return reader.result()


def read_index(text: str) -> IndexText:
    """Read the text of a ``CREATE INDEX``."""
    words = list(_words(text))
    start = _first(words, "(")
    if start is None:
        return IndexText((), None)
    inside = _inside(words, start)
    parts = tuple(_written(text, _undirected(part)) for part in _parts(inside))
    rest = words[start + len(inside) + 2 :]
    is_partial = bool(rest) and rest[0].upper == "WHERE"
    return IndexText(parts, _written(text, rest[1:]) if is_partial else None)


class _TableReader:
    """Collects what the parts between the commas say."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._columns: dict[str, ColumnText] = {}
        self._checks: list[tuple[str | None, str]] = []
        self._key: str | None = None
        self._uniques: dict[tuple[str, ...], str] = {}
        self._foreign: dict[tuple[str, ...], tuple[str | None, bool]] = {}

    def result(self) -> TableText:
        return TableText(
            columns=self._columns,
            checks=tuple(self._checks),
            key=self._key,
            uniques=self._uniques,
            foreign_keys=self._foreign,
        )

    def read(self, part: Words) -> None:
        """Read a column, or a constraint of the table."""
        if part[0].upper in _TABLE_CONSTRAINTS:
            self._read_constraints(part, None)
            return
        column = part[0].name
        # In front of the first constraint stands the type, perhaps with brackets.
        self._columns[column] = ColumnText()
        self._read_constraints(part[1:], column)

    def _read_constraints(self, words: Words, column: str | None) -> None:
        """Read constraints one after the other; *column* is theirs, or they name it."""
        name: str | None = None
        at = 0
        while at < len(words):
            word = words[at]
            if word.upper == "CONSTRAINT":
                name, at = words[at + 1].name, at + 2
                continue
            if word.text == "(":
                at += len(_inside(words, at)) + 2
                continue
            at = self._read_one(words, at, name, column)

    def _read_one(
        self, words: Words, at: int, name: str | None, column: str | None
    ) -> int:
        """Read what begins at a word, and return where the next thing begins."""
        keyword = words[at].upper
        listed, end = _columns_at(words, at, column)
        if keyword == "CHECK":
            start = at + 1
            inside = _inside(words, start)
            self._checks.append((name, _written(self._text, inside)))
            return start + len(inside) + 2
        if keyword == "PRIMARY":
            self._key = name
        elif keyword == "UNIQUE" and name is not None:
            self._uniques[listed] = name
        elif keyword in {"FOREIGN", "REFERENCES"}:
            return self._read_foreign(words, at, name, listed)
        elif column is not None:
            return self._read_of_column(words, at, column)
        return end

    def _read_of_column(self, words: Words, at: int, column: str) -> int:
        known, keyword = self._columns[column], words[at].upper
        if keyword == "COLLATE":
            self._columns[column] = msgspec.structs.replace(
                known, collation=words[at + 1].name
            )
            return at + 2
        if keyword == "AUTOINCREMENT":
            self._columns[column] = msgspec.structs.replace(
                known, is_autoincrement=True
            )
        if keyword == "AS" and words[at + 1].text == "(":
            inside = _inside(words, at + 1)
            self._columns[column] = msgspec.structs.replace(
                known, generated=_written(self._text, inside)
            )
        return at + 1

    def _read_foreign(
        self, words: Words, at: int, name: str | None, listed: tuple[str, ...]
    ) -> int:
        end = at + 1
        while end < len(words) and not _begins(words, end):
            end += 1
        said = [word.upper for word in words[at:end]]
        is_deferrable = "DEFERRABLE" in said and "NOT" not in said
        self._foreign[listed] = name, is_deferrable
        return end


_BEGINNING: Final = frozenset(
    {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "COLLATE", "GENERATED", "AS"}
)


def _begins(words: Words, at: int) -> bool:
    """Whether another constraint begins at a word behind a REFERENCES."""
    keyword = words[at].upper
    if keyword == "DEFAULT":
        return words[at - 1].upper != "SET"
    if keyword == "NOT":
        return at + 1 < len(words) and words[at + 1].upper == "NULL"
    return keyword in _BEGINNING


def _columns_at(
    words: Words, at: int, column: str | None
) -> tuple[tuple[str, ...], int]:
    """Return the columns a constraint is about, and where it ends."""
    if column is not None:
        return (column,), at + 1
    start = _first(words, "(", at)
    if start is None:
        return (), len(words)
    inside = _inside(words, start)
    names = tuple(part[0].name for part in _parts(inside))
    return names, start + len(inside) + 2


def _words(text: str) -> Iterator[Word]:
    for match in _WORD.finditer(text):
        if match["word"] is not None:
            yield Word(match["word"], match.start(), match.end())


def _first(words: Words, text: str, start: int = 0) -> int | None:
    places = (at for at in range(start, len(words)) if words[at].text == text)
    return next(places, None)


def _inside(words: Words, start: int) -> Words:
    """Return what stands inside the bracket that opens at *start*."""
    depth = 0
    for at in range(start, len(words)):
        depth += {"(": 1, ")": -1}.get(words[at].text, 0)
        if depth == 0:
            return words[start + 1 : at]
    return words[start + 1 :]


def _parts(words: Words) -> Iterator[Words]:
    """Yield what stands between the commas of the outermost level."""
    depth, start = 0, 0
    for at, word in enumerate(words):
        depth += {"(": 1, ")": -1}.get(word.text, 0)
        if word.text == "," and depth == 0:
            yield words[start:at]
            start = at + 1
    if start < len(words):
        yield words[start:]


def _undirected(part: Words) -> Words:
    return part[:-1] if part[-1].upper in {"ASC", "DESC"} else part


def _written(text: str, words: Words) -> str:
    return text[words[0].start : words[-1].end] if words else ""
