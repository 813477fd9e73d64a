"""How a statement names the table of a model."""

from __future__ import annotations

from ..models import Model
from ._dialect import Dialect

__all__ = ["qualified"]


def qualified(model: Model, dialect: Dialect, schema: str | None = None) -> str:
    """Return the quoted name of the table of *model*, behind its schema if it has one.

    The same text stands before a column: ``"schema"."table"."column"``. Without a schema
    the name means whatever a plain name leads to.

    Args:
        model: Whose table.
        dialect: In which SQL.
        schema: Where it is, unless the model says so itself.
    """
    name, inside = dialect.quote(model.table), model.schema or schema
    return name if inside is None else f"{dialect.quote(inside)}.{name}"
