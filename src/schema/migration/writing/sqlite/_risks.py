"""What each operation takes on SQLite. Source: sqlite.org/lang_altertable.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..._risk import Risk
from .._operation import COPY_S, INDEX_S, Operation

__all__ = ["SQLITE_RISKS"]

_WRITER: Final = "the writer's"

SQLITE_RISKS: Final[Mapping[str, Operation]] = {
    "create_table": Operation(
        title="create a table",
        risk=Risk.LOW,
        lock=_WRITER,
        reason="nobody knows it yet",
    ),
    "add_column": Operation(
        title="add a column that may be NULL, or with one value for all rows",
        risk=Risk.LOW,
        lock=_WRITER,
        reason="changes the catalogue only",
    ),
    "rename_column": Operation(
        title="rename a column",
        risk=Risk.HIGH,
        lock=_WRITER,
        reason="programs of before do not find it; views and triggers are rewritten",
        alternative="add the new column, fill both for a while, then drop the old one",
    ),
    "rename_table": Operation(
        title="rename a table",
        risk=Risk.HIGH,
        lock=_WRITER,
        reason="programs of before do not find it",
        alternative="a view of the old name for as long as they run",
    ),
    "create_index": Operation(
        title="create an index",
        risk=Risk.LOW,
        is_growing=True,
        lock=_WRITER,
        per_row_s=INDEX_S,
        reason="nobody else can write while it is made",
    ),
    "drop_index": Operation(
        title="drop an index",
        risk=Risk.MEDIUM,
        lock=_WRITER,
        reason="queries that used it become slower",
    ),
    "quarantine_column": Operation(
        title="drop a column, into quarantine",
        risk=Risk.HIGH,
        lock=_WRITER,
        reason="programs of before do not find it; its values stay until they are purged",
        alternative="remove the field from all programs first, migrate later",
    ),
    "quarantine_table": Operation(
        title="drop a table, into quarantine",
        risk=Risk.HIGH,
        lock=_WRITER,
        reason="programs of before do not find it; its rows stay until they are purged",
        alternative="stop all programs that use it first, migrate later",
    ),
    "purge_column": Operation(
        title="drop a column for good",
        risk=Risk.CRITICAL,
        lock=_WRITER,
        is_rewrite=True,
        per_row_s=COPY_S,
        reason="its values are lost",
        alternative="leave it in quarantine until it is certain that nobody asks for it",
    ),
    "purge_table": Operation(
        title="drop a table for good",
        risk=Risk.CRITICAL,
        lock=_WRITER,
        reason="its rows are lost",
        alternative="leave it in quarantine until it is certain that nobody asks for it",
    ),
    "backfill": Operation(
        title="give rows a value",
        risk=Risk.LOW,
        is_growing=True,
        lock=_WRITER,
        per_row_s=2e-6,
        reason="nobody else can write meanwhile",
    ),
    "rebuild_empty": Operation(
        title="make an empty table anew",
        risk=Risk.LOW,
        lock=_WRITER,
        reason="there are no rows",
    ),
    "rebuild": Operation(
        title="make a table anew and copy its rows",
        risk=Risk.MEDIUM,
        is_growing=True,
        lock=_WRITER,
        is_rewrite=True,
        per_row_s=COPY_S,
        reason="SQLite cannot change a column in place; it takes twice the space, and "
        "nobody else can write meanwhile; each value is compared before the commit",
    ),
    "convert": Operation(
        title="make a table anew and convert a column",
        risk=Risk.HIGH,
        lock=_WRITER,
        is_rewrite=True,
        per_row_s=COPY_S,
        reason="each row is converted and converted back, and both must agree",
        alternative="add a field of the new type, copy, then drop the old one",
    ),
    "narrow_type": Operation(
        title="make a table anew and convert a column to a type that does not hold all "
        "values",
        risk=Risk.CRITICAL,
        lock=_WRITER,
        is_rewrite=True,
        per_row_s=COPY_S,
        reason="values that do not fit are rounded, or stop the migration",
        alternative="add a field of the new type, convert with a rule of your own, then "
        "drop the old one",
    ),
}
