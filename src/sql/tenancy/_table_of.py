"""Which table a model has."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ...models import Model
from .._dialect import Dialect
from ..tables import Table
from ._undecided import Undecided

__all__ = ["table_of", "whole_table"]

_KEPT: Final = 1024
"""Tables kept; where each tenant has a schema there may be any number of models."""


@lru_cache(_KEPT)
def table_of(model: Model, dialect: Dialect) -> Table:
    """Return the one table of *model* in *dialect*.

    That of a model with tenants makes no statement before it is told for whom.
    """
    table = Table(model, dialect)
    return table if model.tenant_field is None else Undecided(table)


def whole_table(model: Model, dialect: Dialect) -> Table:
    """Return the table with the rows of all tenants, for who looks after them."""
    table = table_of(model, dialect)
    return table.of_all if isinstance(table, Undecided) else table
