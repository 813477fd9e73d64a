"""Schema: the tables of the models in the database."""

from __future__ import annotations

from ._table import ensure_table, table_statements, tables_statements

__all__ = ["ensure_table", "table_statements", "tables_statements"]
