"""The table of a model: its statements, and seeing to it that it is there."""

from __future__ import annotations

from ..models import Model
from ..sql._dialect import Dialect
from ..sql._statement import Statement

__all__ = ["table_statements"]


def table_statements(model: Model, dialect: Dialect) -> list[Statement]:
    """Return the statements that create the table of *model*, in order.

    ``CREATE TABLE`` leaves an existing table alone; the indexes behind it do not
    look: an index of that name elsewhere is an error, not silently none.
    """
    from ._ddl import create_table  # noqa: PLC0415  # imports SQLAlchemy, 0.3 s

    return create_table(model, dialect)
