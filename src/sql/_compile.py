"""A filter becomes the text of a WHERE clause and its parameters.

Inside, SQL's three values are let be; only where they could show, under `Not`,
``IS NOT TRUE`` turns unknown into false. AND and OR keep that right: unknown
never becomes true without a negation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..models import Field, Kind
from ._codec import codec
from ._column import is_scaled
from ._dialect import POSTGRESQL, SQLITE, Dialect
from ._filter import And, Compare, Comparison, Filter, Match, Matching, Not, OneOf, Or

__all__ = ["Compiler"]

# JSON carries these exactly, so one parameter can hold a list of any length.
_PLAIN_IN_JSON: Final = frozenset(
    {Kind.INT, Kind.STR, Kind.BOOL, Kind.UUID, Kind.DATE, Kind.DATETIME, Kind.TIME}
)


class Compiler:
    """Compiles the filters of one statement; parameters are numbered through.

    Attributes:
        parameters: Values so far, encoded for the dialect.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.parameters: list[Any] = []

    def place(self, value: Any) -> str:
        """Add an encoded value and return its placeholder."""
        self.parameters.append(value)
        return self._dialect.place(len(self.parameters))

    def value(self, field: Field, value: Any) -> str:
        """Add a value of *field*, encode it, and return its placeholder."""
        encode = codec(field.type, self._dialect).encode
        return self.place(value if encode is None or value is None else encode(value))

    def column(self, field: Field) -> str:
        """Return the quoted name of the field's column."""
        return self._dialect.quote(field.name)

    def ordered(self, field: Field) -> str:
        """Return the column as it is ordered: text by code point on both."""
        column = self.column(field)
        if field.type.stored_kind is Kind.STR:
            return column + self._dialect.code_point_order
        if self._dialect is SQLITE and is_decimal_text(field):
            return f"{column} COLLATE DECIMAL"
        return column

    def where(self, part: Filter) -> str:
        """Return `` WHERE ...``, or nothing when every row is meant."""
        if isinstance(part, And) and not part.parts:
            return ""
        return f" WHERE {self.condition(part)}"

    def condition(self, part: Filter) -> str:
        """Return the text of a condition."""
        match part:
            case And(parts=()):
                return "TRUE"
            case Or(parts=()):
                return "FALSE"
            case And(parts=parts):
                return f"({' AND '.join(map(self.condition, parts))})"
            case Or(parts=parts):
                return f"({' OR '.join(map(self.condition, parts))})"
            case Not(part=inner):
                return f"({self.condition(inner)}) IS NOT TRUE"
            case Compare():
                return self._compare(part)
            case OneOf():
                return self._one_of(part)
            case Match():
                return self._match(part)

    def _compare(self, part: Compare) -> str:
        if part.value is None:
            return f"{self.column(part.field)} IS NULL"
        is_equal = part.comparison is Comparison.EQ
        decimal = is_equal and is_decimal_text(part.field)
        column = self.column if is_equal and not decimal else self.ordered
        place = self.value(part.field, part.value)
        return f"{column(part.field)} {part.comparison.value} {place}"

    def _one_of(self, part: OneOf) -> str:
        field = part.field
        encode = codec(field.type, self._dialect).encode
        values = [value for value in part.values if value is not None]
        encoded = values if encode is None else [encode(value) for value in values]
        text = self._member(field, encoded)
        if len(values) == len(part.values):
            return text
        return f"({text} OR {self.column(field)} IS NULL)"

    def _member(self, field: Field, encoded: list[Any]) -> str:
        if not encoded:
            return "FALSE"
        if self._dialect is POSTGRESQL:
            return f"{self.column(field)} = ANY({self.place(encoded)})"
        if field.type.stored_kind in _PLAIN_IN_JSON:
            place = self.place(json.dumps(encoded, ensure_ascii=False))
            values = f"SELECT value FROM json_each({place})"
        else:
            values = ", ".join(map(self.place, encoded))
        return f"{self.ordered(field)} IN ({values})"

    def _match(self, part: Match) -> str:
        column = self.column(part.field)
        return _MATCHES[self._dialect.name][part.matching](self, column, part.pattern)


def is_decimal_text(field: Field) -> bool:
    """Whether SQLite holds the field as decimal text, with an order of its own."""
    return field.type.kind is Kind.DECIMAL and not is_scaled(field.type)


def _glob(like: str) -> str:
    """Return the GLOB pattern of a LIKE pattern with backslash escapes.

    SQLite's LIKE folds ASCII case; GLOB does not and matches code points alike.
    """
    signs = {"%": "*", "_": "?"}
    out: list[str] = []
    rest = iter(like)
    for sign in rest:
        literal = next(rest) if sign == "\\" else sign
        if sign != "\\" and sign in signs:
            out.append(signs[sign])
        else:
            out.append(f"[{literal}]" if literal in "*?[" else literal)
    return "".join(out)


_Writer = Callable[[Compiler, str, str], str]


def _sqlite_ends_with(compiler: Compiler, column: str, pattern: str) -> str:
    if not pattern:
        return f"{column} IS NOT NULL"
    place = compiler.place(pattern)
    return f"substr({column}, -length({place})) = {place}"


def _postgres_ends_with(compiler: Compiler, column: str, pattern: str) -> str:
    place = compiler.place(pattern)
    return f"right({column}, length({place}::text)) = {place}::text"


def _sqlite_starts_with(compiler: Compiler, column: str, pattern: str) -> str:
    place = compiler.place(pattern)
    return f"substr({column}, 1, length({place})) = {place}"


def _template(text: str, convert: Callable[[str], str] = str) -> _Writer:
    def write(compiler: Compiler, column: str, pattern: str) -> str:
        return text.format(column=column, place=compiler.place(convert(pattern)))

    return write


_MATCHES: Final[Mapping[str, Mapping[Matching, _Writer]]] = {
    POSTGRESQL.name: {
        Matching.LIKE: _template("{column} LIKE {place} ESCAPE '\\'"),
        # The C collation makes \d, \w and \s mean ASCII, as RE2 has it.
        Matching.REGEX: _template('{column} COLLATE "C" ~ {place}'),
        Matching.CONTAINS: _template("strpos({column}, {place}) > 0"),
        Matching.STARTS_WITH: _template("starts_with({column}, {place})"),
        Matching.ENDS_WITH: _postgres_ends_with,
    },
    SQLITE.name: {
        Matching.LIKE: _template("{column} GLOB {place}", _glob),
        Matching.REGEX: _template("{column} REGEXP {place}"),
        Matching.CONTAINS: _template("instr({column}, {place}) > 0"),
        Matching.STARTS_WITH: _sqlite_starts_with,
        Matching.ENDS_WITH: _sqlite_ends_with,
    },
}
