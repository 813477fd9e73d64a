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

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from ...errors import FilterError
from ...models import Field, Relation
from .._column import column_type
from .._dialect import POSTGRESQL, Dialect
from .._qualified import qualified
from ._derived import derived
from ._filter import (
    ALL,
    And,
    AnyElement,
    Compare,
    CompareFields,
    CompareRow,
    Comparison,
    Filter,
    Match,
    Members,
    Modulo,
    Not,
    OneOf,
    Or,
    Related,
    Subject,
)
from ._order import Term
from ._reference import Reference, aliased
from .operators import MATCHES, spelled_out

__all__ = ["Compiler"]

_SPELLED_OUT: Final = 3
"""Filters inside each other that SQLite gets for `Members`."""

_GROUP: Final = 8
"""Members of a chain without brackets."""

_FEW: Final = 16
"""Values that a column is looked for among in no time."""

# SQLite has no OFFSET without LIMIT; this is the most rows either can hold.
_NO_LIMIT: Final = 2**63 - 1


class Compiler:
    """Compiles what one statement asks for; parameters are numbered through.

    Args:
        dialect: In which SQL.
        columns: The columns of the table, by the names of their fields.
        parameters: Those of the statement's text so far.
        schema: Where the table is, and so all that relations lead to; None for where
            plain names lead. A rule was written down before anybody knew for whom.

    Attributes:
        parameters: Values so far, encoded for the dialect.
        is_plain: Whether there are only comparisons of columns so far, none that SQLite
            leaves to a function or a collation of the driver's.
    """

    __slots__ = (
        "_aliases",
        "_columns",
        "_dialect",
        "_outermost",
        "_schema",
        "is_plain",
        "parameters",
    )

    def __init__(
        self,
        dialect: Dialect,
        columns: Mapping[str, Reference],
        parameters: Sequence[Any] = (),
        *,
        schema: str | None = None,
    ) -> None:
        self._dialect = dialect
        self._schema = schema
        self._columns = columns
        self._aliases = 0
        self._outermost = ""
        self.parameters: list[Any] = [*parameters]
        self.is_plain = True

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
        """Return `` ORDER BY ...``, or nothing without terms; NULL is the least.

        Unless a term says where it wants NULL.
        """
        if not terms:
            return ""
        return f" ORDER BY {', '.join(map(self._term, terms))}"

    def _term(self, term: Term) -> str:
        reference = self._columns[term.field.name]
        column = reference.ordered
        self.is_plain &= column is reference.name
        direction = " DESC" if term.is_descending else ""
        if not term.field.is_nullable:
            # Saying NULLS FIRST here would keep PostgreSQL from using a plain index.
            return column + direction
        return f"{column}{direction} NULLS {'LAST' if term.has_nulls_last else 'FIRST'}"

    def page(self, limit: int | None, offset: int) -> str:
        """Return `` LIMIT ... OFFSET ...``, or what of it is needed."""
        text = ""
        if limit is not None or offset:
            text += f" LIMIT {self.place(_NO_LIMIT if limit is None else limit)}"
        if offset:
            text += f" OFFSET {self.place(offset)}"
        return text

    # -- conditions -----------------------------------------------------------

    def condition(self, part: Filter) -> str:
        """Return the text of a condition."""
        return _WRITERS[type(part)](self, part)

    def _refer(self, subject: Subject) -> Reference:
        column = self._columns[subject.name]
        if isinstance(subject, Field):
            self.is_plain &= column.ordered is column.name
            return column
        self.is_plain = False
        return derived(subject, column, self._dialect, self.place)

    def write_and(self, part: And) -> str:
        """Write what must hold altogether."""
        return self._chain(part.parts, " AND ", "TRUE")

    def write_or(self, part: Or) -> str:
        """Write what must hold in part."""
        return self._chain(part.parts, " OR ", "FALSE")

    def _chain(self, parts: Sequence[Filter], word: str, empty: str) -> str:
        if not parts:
            return empty
        if any(type(part) in _DEEP for part in parts):
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

    def write_not(self, part: Not) -> str:
        """Write what must not hold."""
        inner = part.part
        if isinstance(inner, Compare) and inner.value is None:
            return f"{self._refer(inner.field).name} IS NOT NULL"
        if isinstance(inner, Related):
            return f"NOT {self.write_related(inner)}"
        return f"({self.condition(inner)}) IS NOT TRUE"

    def write_compare(self, part: Compare) -> str:
        """Write a comparison with a value."""
        column = self._refer(part.field)
        if part.value is None:
            return f"{column.name} IS NULL"
        encode = column.encode
        place = self.place(part.value if encode is None else encode(part.value))
        return _compared(column, part.comparison, place)

    def compared(self, field: Field, comparison: Comparison) -> str:
        """Return `` WHERE ...`` for a comparison with a value that is still to come."""
        place = self.place(None)
        return f" WHERE {_compared(self._refer(field), comparison, place)}"

    def write_compare_fields(self, part: CompareFields) -> str:
        """Write a comparison of two columns."""
        left, right = self._refer(part.field), self._refer(part.other)
        return f"{left.ordered} {part.comparison.value} {right.ordered}"

    def write_compare_row(self, part: CompareRow) -> str:
        """Write a comparison of columns with values, as one row with another."""
        columns = [self._refer(field) for field in part.fields]
        places = [
            self.place(value if column.encode is None else column.encode(value))
            for column, value in zip(columns, part.values, strict=True)
        ]
        names = ", ".join(column.ordered for column in columns)
        return f"({names}) {part.comparison.value} ({', '.join(places)})"

    def write_modulo(self, part: Modulo) -> str:
        """Write what a division leaves; both databases give it the dividend's sign."""
        column = self._refer(part.field).name
        divisor, remainder = map(self.place, (part.divisor, part.remainder))
        return f"{column} % {divisor} = {remainder}"

    def write_one_of(self, part: OneOf) -> str:
        """Write a comparison with several values."""
        column = self._refer(part.field)
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
        self.is_plain &= len(encoded) <= _FEW
        if self._dialect is POSTGRESQL:
            return f"{column.equal} = ANY({self.place(encoded)})"
        if column.is_in_json:
            place = self.place(msgspec.json.encode(encoded).decode())
            values = f"SELECT value FROM json_each({place})"
        else:
            values = ", ".join(map(self.place, encoded))
        return f"{column.equal} IN ({values})"

    def write_match(self, part: Match) -> str:
        """Write text against a pattern."""
        self.is_plain = False
        template = MATCHES[self._dialect.name][part.matching]
        return template.text.format(
            column=self._refer(part.field).name,
            place=self.place(template.convert(part.pattern)),
        )

    # -- lists ----------------------------------------------------------------

    def write_members(self, part: Members) -> str:
        """Write a list against values."""
        if self._dialect is not POSTGRESQL:
            return self._member(spelled_out(part), " AND ")
        column, encode = self._refer(part.field), self._refer(part.field).encode
        values = [*part.values]
        place = self.place(values if encode is None else encode(values))
        kind = column_type(part.field.type, self._dialect)
        return f"{column.name} {part.membership.value} {place}::{kind}"

    def write_any_element(self, part: AnyElement) -> str:
        """Write what at least one element must be."""
        self.is_plain = False
        column = self._refer(part.field)
        elements = (
            f"unnest({column.qualified}) AS {column.elements}(value)"
            if self._dialect is POSTGRESQL
            else f"json_each({column.qualified}) AS {column.elements}"
        )
        return f"EXISTS (SELECT 1 FROM {elements} WHERE {self.condition(part.part)})"

    # -- relations ------------------------------------------------------------

    def write_related(self, part: Related) -> str:
        """Write what at least one related row must be.

        Nowhere else does a filter name a table that is not its statement's own.
        """
        self.is_plain = False
        relation, outer = part.relation, self._columns
        target, alias = relation.target, self._alias(relation)
        inner = aliased(target, self._dialect, alias)
        pairs = [
            f"{inner[theirs.name].equal} = {outer[own.name].qualified}"
            for own, theirs in relation.pairs
        ]
        name = qualified(target, self._dialect, self._schema)
        table = f"{name} AS {self._dialect.quote(alias)}"
        self._columns = inner
        # What nests comes first; see the top of the file.
        parts = [] if part.part is ALL else [self._member(part.part, " AND ")]
        self._columns = outer
        if target.deleted_field is not None:
            pairs.append(f"{inner[target.deleted_field].name} IS NULL")
        where = " AND ".join((*parts, *pairs))
        return f"EXISTS (SELECT 1 FROM {table} WHERE {where})"

    def _alias(self, relation: Relation) -> str:
        """Return a name that no table of the statement has."""
        if not self._aliases:
            self._outermost = relation.source.table
        self._aliases += 1
        sign = "$" if not self._outermost.startswith("$") else "#"
        return f"{sign}r{self._aliases}"


_DEEP: Final = frozenset({And, Or, Not, Members, AnyElement, Related})
"""What opens brackets."""

_WRITERS: Final[Mapping[type, Callable[[Compiler, Any], str]]] = {
    And: Compiler.write_and,
    Or: Compiler.write_or,
    Not: Compiler.write_not,
    Compare: Compiler.write_compare,
    CompareFields: Compiler.write_compare_fields,
    CompareRow: Compiler.write_compare_row,
    Modulo: Compiler.write_modulo,
    OneOf: Compiler.write_one_of,
    Match: Compiler.write_match,
    Members: Compiler.write_members,
    AnyElement: Compiler.write_any_element,
    Related: Compiler.write_related,
}


def _compared(column: Reference, comparison: Comparison, place: str) -> str:
    text = column.equal if comparison is Comparison.EQ else column.ordered
    return f"{text} {comparison.value} {place}"


def _grouped(texts: Sequence[str], word: str) -> list[str]:
    return [
        f"({word.join(texts[at : at + _GROUP])})" for at in range(0, len(texts), _GROUP)
    ]


def _height(part: Filter) -> int:
    """Return how many filters are inside each other here."""
    if isinstance(part, And | Or):
        return 1 + max(map(_height, part.parts), default=0)
    if isinstance(part, Members):
        return _SPELLED_OUT
    if isinstance(part, Not | AnyElement | Related):
        return 1 + _height(part.part)
    return 0
