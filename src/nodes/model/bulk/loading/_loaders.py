"""Which loader a database has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .....sql import POSTGRESQL, Table
from ....limits import Pace
from .._rows import RowReader
from .._store import Manner
from ._copy_loader import CopyLoader
from ._loader import Loader
from ._run_loader import RunLoader

__all__ = ["loader_of"]


def loader_of(
    table: Table,
    manner: Manner,
    reader: RowReader,
    everywhere: Mapping[str, Any] | None,
    pace: Pace,
) -> Loader:
    """Return what stores batches in the database of *table*, see `Loader`."""
    kind = CopyLoader if table.dialect is POSTGRESQL else RunLoader
    return kind(table, manner, reader, everywhere, pace)
