"""Writing: changes become steps, with the SQL and the risk of each."""

from __future__ import annotations

from ._catalogue import CATALOGUES, as_markdown
from ._literal import literal
from ._operation import Operation
from ._purge import purge_steps
from ._text import create_table, names, quote
from .postgresql import CHECK_PREFIX, postgresql_steps
from .sqlite import INTERIM, sqlite_steps

__all__ = [
    "CATALOGUES",
    "CHECK_PREFIX",
    "INTERIM",
    "Operation",
    "as_markdown",
    "create_table",
    "literal",
    "names",
    "postgresql_steps",
    "purge_steps",
    "quote",
    "sqlite_steps",
]
