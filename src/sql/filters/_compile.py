"""A filter becomes the text of a WHERE clause and its parameters.

Inside, SQL's three values are let be; only where they could show, under `Not`,
``IS NOT TRUE`` turns unknown into false. AND and OR keep that right: unknown
never becomes true without a negation.

SQLite sets two bounds to the shape of an expression. Its parser holds 100 open
brackets and operators, so what nests deepest is written first, where nothing is
open before it. Its tree is 1000 deep at most, and a long chain is as deep as it
is long, so members of one are bracketed in groups.
Source: sqlite.org/limits.html, SQLITE_MAX_EXPR_DEPTH; SQLite, YYSTACKDEPTH.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ...errors import FilterError
from .._dialect import POSTGRESQL, Dialect
from ._filter import And, Compare, Comparison, Filter, Match, Not, OneOf, Or
from ._match import MATCHES
from ._order import Term
from ._reference import Reference

__all__ = ["Compiler"]

_GROUP: Final = 8
"""Members of a chain without brackets."""


class Compiler:
    """Compiles what one statement asks for; parameters are numbered through.

    Args:
        dialect: In which SQL.
        columns: The columns of the table, by the names of their fields.
        parameters: Those of the statement's text so far.

    Attributes:
        parameters: Values so far, encoded for the dialect.
    """

    __slots__ = ("_columns", "_dialect", "parameters")

    def __init__(
        self,
        dialect: Dialect,
        columns: Mapping[str, Reference],
        parameters: Sequence[Any] = (),
    ) -> None:
        self._dialect = dialect
        self._columns = columns
        self.parameters: list[Any] = [*parameters]

    def place(self, value: object) -> str:
        """Add an encoded value and return its placeholder.

        Raises:
            FilterError: The statement would have more than the database takes.
        """
        self.parameters.append(value)
        number, most = len(self.parameters), self._dialect.max_parameters
        if number > most:
            problem = f"a statement takes at most {most} values: ask for fewer at once"
            raise FilterError("", problem)
        return self._dialect.place(number)

    # -- clauses --------------------------------------------------------------

    def where(self, part: Filter) -> str:
        """Return `` WHERE ...``, or nothing when every row is meant."""
        if isinstance(part, And) and not part.parts:
            return ""
        return f" WHERE {self.condition(part)}"

    def order_by(self, terms: Sequence[Term]) -> str:
        """Return `` ORDER BY ...``, or nothing without terms; NULL is the least."""
        if not terms:
            return ""
        return f" ORDER BY {', '.join(map(self._term, terms))}"

    def _term(self, term: Term) -> str:
        column = self._columns[term.field.name].ordered
        direction = " DESC" if term.is_descending else ""
        if not term.field.is_nullable:
            # Saying NULLS FIRST here would keep PostgreSQL from using a plain index.
            return column + direction
        return f"{column}{direction} NULLS {'LAST' if term.is_descending else 'FIRST'}"

    # -- conditions -----------------------------------------------------------

    def condition(self, part: Filter) -> str:
        """Return the text of a condition."""
        if isinstance(part, And):
            return self._chain(part.parts, " AND ", "TRUE")
        if isinstance(part, Or):
            return self._chain(part.parts, " OR ", "FALSE")
        return self._not(part.part) if isinstance(part, Not) else self._leaf(part)

    def _leaf(self, part: Compare | OneOf | Match) -> str:
        if isinstance(part, Compare):
            return self._compare(part)
        return self._one_of(part) if isinstance(part, OneOf) else self._match(part)

    def _chain(self, parts: Sequence[Filter], word: str, empty: str) -> str:
        if not parts:
            return empty
        if any(isinstance(part, And | Or | Not) for part in parts):
            parts = sorted(parts, key=_height, reverse=True)
        texts = [self._member(part, word) for part in parts]
        while len(texts) > _GROUP:
            first, *rest = texts
            texts = [first, *_grouped(rest, word)]
        return word.join(texts)

    def _member(self, part: Filter, word: str) -> str:
        text = self.condition(part)
        # AND binds more tightly than OR.
        needs_brackets = isinstance(part, Or) and word == " AND "
        return f"({text})" if needs_brackets else text

    def _not(self, part: Filter) -> str:
        if isinstance(part, Compare) and part.value is None:
            return f"{self._columns[part.field.name].name} IS NOT NULL"
        return f"({self.condition(part)}) IS NOT TRUE"

    def _compare(self, part: Compare) -> str:
        column = self._columns[part.field.name]
        if part.value is None:
            return f"{column.name} IS NULL"
        encode = column.encode
        place = self.place(part.value if encode is None else encode(part.value))
        is_equal = part.comparison is Comparison.EQ
        text = column.equal if is_equal else column.ordered
        return f"{text} {part.comparison.value} {place}"

    def _one_of(self, part: OneOf) -> str:
        column = self._columns[part.field.name]
        encode = column.encode
        values = [value for value in part.values if value is not None]
        encoded = values if encode is None else [encode(value) for value in values]
        text = self._among(column, encoded)
        if len(values) == len(part.values):
            return text
        return f"({text} OR {column.name} IS NULL)"

    def _among(self, column: Reference, encoded: list[Any]) -> str:
        if not encoded:
            return "FALSE"
        if self._dialect is POSTGRESQL:
            return f"{column.equal} = ANY({self.place(encoded)})"
        if column.is_in_json:
            place = self.place(msgspec.json.encode(encoded).decode())
            values = f"SELECT value FROM json_each({place})"
        else:
            values = ", ".join(map(self.place, encoded))
        return f"{column.equal} IN ({values})"

    def _match(self, part: Match) -> str:
        template = MATCHES[self._dialect.name][part.matching]
        return template.text.format(
            column=self._columns[part.field.name].name,
            place=self.place(template.convert(part.pattern)),
        )


def _grouped(texts: Sequence[str], word: str) -> list[str]:
    return [
        f"({word.join(texts[at : at + _GROUP])})" for at in range(0, len(texts), _GROUP)
    ]


def _height(part: Filter) -> int:
    """Return how many filters are inside each other here."""
    if isinstance(part, And | Or):
        return 1 + max(map(_height, part.parts), default=0)
    return 1 + _height(part.part) if isinstance(part, Not) else 0
