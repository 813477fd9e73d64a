"""Schema: the tables of the models in the database."""

from __future__ import annotations

from ._table import table_statements

__all__ = ["table_statements"]
