"""Conditions as text without parameters, for what a database keeps: policies, triggers.

Rules of this file: text is made of the model's own names, quoted, and of literals. What
the database cannot evaluate by itself, for other clients too, has no text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, cast, final

from ..models import Field, Model
from ._codec import codec
from ._dialect import POSTGRESQL, Dialect
from .filters import Compiler, Filter, Reference, aliased, references
from .terms import NEW, OLD

__all__ = ["inline", "inline_rows", "literal", "literal_of"]

_DRIVERS: Final = re.compile(r"COLLATE DECIMAL|\bREGEXP\b|\bjson_at\(")
"""What only connections of this library know on SQLite."""


def inline(model: Model, dialect: Dialect, part: Filter) -> str | None:
    """Return the text of a condition on rows of a model.

    Returns:
        The text; None if other clients of the database could not evaluate it.
    """
    return _text(dialect, references(model, dialect), part)


def inline_rows(model: Model, dialect: Dialect, part: Filter) -> str | None:
    """Return the text of a condition on rows old and new, for a trigger.

    Returns:
        The same as `inline`; columns are those of ``"old"`` and ``"new"``, which both
        databases take for the rows of a trigger.
    """
    columns = {
        f"{prefix}{name}": column
        for prefix, alias in ((OLD, "old"), (NEW, "new"))
        for name, column in aliased(model, dialect, alias).items()
    }
    return _text(dialect, columns, part)


def _text(
    dialect: Dialect, columns: Mapping[str, Reference], part: Filter
) -> str | None:
    text = _Inlining(dialect, columns).condition(part)
    is_ours = dialect is not POSTGRESQL and _DRIVERS.search(text) is not None
    return None if is_ours else text


@final
class _Inlining(Compiler):
    """Compiles a condition with its values in the text."""

    __slots__ = ()

    def place(self, value: object) -> str:
        """Return an encoded value as a literal."""
        return literal(value, self._dialect)


def literal_of(field: Field, value: object, dialect: Dialect) -> str:
    """Return a value of a field as a literal, as its column holds it."""
    encode = codec(field.type, dialect).encode
    return literal(value if encode is None else encode(value), dialect)


def literal(value: object, dialect: Dialect) -> str:
    """Return an encoded value as a literal."""
    if value is None:
        return "NULL"
    return (_postgresql if dialect is POSTGRESQL else _sqlite)(value)


def _postgresql(value: object) -> str:
    if isinstance(value, list | tuple):
        items = map(_element, cast("list[Any]", value))
        text = "{" + ", ".join(items) + "}"
    else:
        text = _plain(value)
    # Without a type of its own it takes that of what it is compared with.
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _element(value: object) -> str:
    """Return an element of an array in PostgreSQL's own text of arrays."""
    if value is None:
        return "NULL"
    escaped = _plain(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return str(value.value if isinstance(value, Enum) else value)


def _sqlite(value: object) -> str:
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, int | float):
        return repr(value + 0)  # a bool is a number there
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"
