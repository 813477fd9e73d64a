"""How a statement refers to what is read out of a column.

Rules of this file: an expression is NULL where there is nothing of the type that is
asked for, so that a comparison with it is as false as one with NULL; steps travel as
parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

import msgspec

from ...models import Kind, encode_json
from .._dialect import POSTGRESQL, Dialect
from ._filter import Derived, Reading
from ._json_at import BYTES
from ._reference import Reference, reference

__all__ = ["derived"]

Place = Callable[[object], str]
"""Adds a parameter and returns its placeholder."""


# PostgreSQL takes them for indexes, counts from the end and reads 01 as 1.
_LIKE_INDEX: Final = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)

_POSTGRESQL: Final[Mapping[Reading, str]] = {
    Reading.TEXT: "(CASE jsonb_typeof({0}) WHEN 'string' THEN {0} #>> '{{}}' END)",
    Reading.NUMBER: "(CASE jsonb_typeof({0}) WHEN 'number' THEN {0}::numeric END)",
    Reading.FLAG: "(CASE jsonb_typeof({0}) WHEN 'boolean' THEN {0}::boolean END)",
    Reading.SIZE: "(CASE jsonb_typeof({0}) WHEN 'array' "
    "THEN jsonb_array_length({0})::bigint END)",
    Reading.VALUE: "NULLIF({0}, 'null'::jsonb)",
    Reading.ANYTHING: "{0}",
}


def derived(
    subject: Derived, column: Reference, dialect: Dialect, place: Place
) -> Reference:
    """Return the reference to *subject*, a value in *column*."""
    if subject.reading is Reading.ELEMENT:
        return _element(subject, column, dialect)
    if subject.field.type.kind is Kind.LIST:
        size = "cardinality({0})::bigint" if dialect is POSTGRESQL else _LENGTH
        return reference(size.format(column.name), subject.type, dialect)
    if dialect is POSTGRESQL:
        return _in_jsonb(subject, column, place)
    steps = msgspec.json.encode(subject.steps).decode()
    text = f"json_at({column.qualified}, {place(steps)}, '{subject.reading.value}')"
    return reference(text, subject.type, dialect)


_LENGTH: Final = "json_array_length({0})"


def _element(subject: Derived, column: Reference, dialect: Dialect) -> Reference:
    text = f"{column.elements}.value"
    exactly = None if dialect is POSTGRESQL else _EXACTLY.get(subject.type.kind)
    if exactly is not None:
        steps = f"'[' || {column.elements}.key || ']'"
        text = f"json_at({column.qualified}, {steps}, '{exactly}')"
    return reference(text, subject.type, dialect)


_EXACTLY: Final[Mapping[Kind, str]] = {
    Kind.FLOAT: Reading.NUMBER.value,
    Kind.BYTES: BYTES,
}
"""What SQLite does not read exactly out of JSON."""


def _in_jsonb(subject: Derived, column: Reference, place: Place) -> Reference:
    there = _walked(column.name, subject.steps, place)
    text = _POSTGRESQL[subject.reading].format(there)
    made = reference(text, subject.type, POSTGRESQL)
    if subject.reading is Reading.NUMBER:
        return msgspec.structs.replace(made, encode=_number)
    return made


def _walked(column: str, steps: Sequence[str | int], place: Place) -> str:
    text = column
    for is_key, group in groupby(steps, _is_key):
        if is_key:
            for step in group:
                text = f"({text} -> {place(step)}::text)"
        else:
            text = f"({text} #> {place(list(map(str, group)))}::text[])"
    return text


def _is_key(step: str | int) -> bool:
    """Whether a step is a key for certain, though PostgreSQL might see an index."""
    return isinstance(step, str) and _LIKE_INDEX.fullmatch(step) is not None


def _number(value: float) -> Decimal:
    """Return the number as it is written in JSON."""
    return Decimal(encode_json(value))
