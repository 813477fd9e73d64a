"""What each operation takes on PostgreSQL.

What is said of locks and of rewriting is what a server shows in ``pg_locks`` and
``pg_class.relfilenode``; a test holds each row against one.
Source: PostgreSQL, "Explicit Locking" and ALTER TABLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..._risk import Risk
from .._operation import INDEX_S, REWRITE_S, SCAN_S, Operation

__all__ = ["POSTGRESQL_RISKS"]

_AE: Final = "ACCESS EXCLUSIVE"
_SRE: Final = "SHARE ROW EXCLUSIVE"
_SUE: Final = "SHARE UPDATE EXCLUSIVE"
_S: Final = "SHARE"

POSTGRESQL_RISKS: Final[Mapping[str, Operation]] = {
    "create_table": Operation(
        title="create a table", risk=Risk.LOW, reason="nobody knows it yet"
    ),
    "add_column": Operation(
        title="add a column that may be NULL",
        risk=Risk.LOW,
        lock=_AE,
        reason="changes the catalogue only",
    ),
    "add_filled_column": Operation(
        title="add a column with one value for all rows",
        risk=Risk.LOW,
        lock=_AE,
        reason="changes the catalogue only; the value stays as the column's default, so "
        "that programs of before can still insert",
    ),
    "add_empty_column": Operation(
        title="add a column that must have a value, to an empty table",
        risk=Risk.LOW,
        lock=_AE,
        reason="there are no rows; programs of before can no longer insert",
    ),
    "backfill": Operation(
        title="give rows a value, in batches",
        risk=Risk.LOW,
        lock="ROW EXCLUSIVE",
        per_row_s=5e-6,
        reason="each batch locks its rows for milliseconds, and it goes on where it was "
        "left",
    ),
    "check_not_null": Operation(
        title="refuse NULL in new rows",
        risk=Risk.LOW,
        lock=_AE,
        reason="a check that old rows are not held against yet",
    ),
    "validate_constraint": Operation(
        title="hold old rows against a check",
        risk=Risk.LOW,
        lock=_SUE,
        per_row_s=SCAN_S,
        reason="reads all rows, but keeps nobody from reading or writing",
    ),
    "set_not_null": Operation(
        title="make a column NOT NULL, behind a validated check",
        risk=Risk.LOW,
        lock=_AE,
        reason="the check proves it, rows are not read (PostgreSQL 12 or newer)",
    ),
    "set_not_null_directly": Operation(
        title="make a column NOT NULL",
        risk=Risk.MEDIUM,
        is_growing=True,
        lock=_AE,
        per_row_s=SCAN_S,
        reason="reads all rows while nobody can read or write",
        alternative="a check that is validated first, as is done for tables with rows",
    ),
    "drop_not_null": Operation(
        title="let a column hold NULL",
        risk=Risk.LOW,
        lock=_AE,
        reason="changes the catalogue only; programs of before may not expect NULL",
    ),
    "widen_type": Operation(
        title="make a type wider where the rows stay as they are",
        risk=Risk.LOW,
        lock=_AE,
        reason="varchar to text, more digits of a numeric: changes the catalogue only",
    ),
    "change_type": Operation(
        title="change a type, and convert each row",
        risk=Risk.HIGH,
        lock=_AE,
        is_rewrite=True,
        per_row_s=REWRITE_S,
        reason="writes all rows anew while nobody can read or write",
        alternative="add a field of the new type, copy in batches, then drop the old one",
    ),
    "narrow_type": Operation(
        title="change a type to one that does not hold all values",
        risk=Risk.CRITICAL,
        lock=_AE,
        is_rewrite=True,
        per_row_s=REWRITE_S,
        reason="values that do not fit are rounded, or stop the migration",
        alternative="add a field of the new type, convert with a rule of your own, then "
        "drop the old one",
    ),
    "change_collation": Operation(
        title="change the collation of a column",
        risk=Risk.MEDIUM,
        is_growing=True,
        lock=_AE,
        per_row_s=INDEX_S,
        reason="indexes with the column are made anew while nobody can read or write",
    ),
    "rename_column": Operation(
        title="rename a column",
        risk=Risk.HIGH,
        lock=_AE,
        reason="programs of before do not find it",
        alternative="add the new column, fill both for a while, then drop the old one",
    ),
    "rename_table": Operation(
        title="rename a table",
        risk=Risk.HIGH,
        lock=_AE,
        reason="programs of before do not find it",
        alternative="a view of the old name for as long as they run",
    ),
    "rename_constraint": Operation(
        title="rename a constraint or an index",
        risk=Risk.LOW,
        lock=_AE,
        reason="changes the catalogue only",
    ),
    "rename_index": Operation(
        title="rename an index",
        risk=Risk.LOW,
        lock=None,
        reason="changes the catalogue only",
    ),
    "quarantine_column": Operation(
        title="drop a column, into quarantine",
        risk=Risk.HIGH,
        lock=_AE,
        reason="programs of before do not find it; it is renamed and may be NULL, and "
        "its values stay until they are purged",
        alternative="remove the field from all programs first, migrate later",
    ),
    "quarantine_table": Operation(
        title="drop a table, into quarantine",
        risk=Risk.HIGH,
        lock=_AE,
        reason="programs of before do not find it; its rows stay until they are purged",
        alternative="stop all programs that use it first, migrate later",
    ),
    "purge_column": Operation(
        title="drop a column for good",
        risk=Risk.CRITICAL,
        lock=_AE,
        reason="its values are lost",
        alternative="leave it in quarantine until it is certain that nobody asks for it",
    ),
    "purge_table": Operation(
        title="drop a table for good",
        risk=Risk.CRITICAL,
        lock=_AE,
        reason="its rows are lost",
        alternative="leave it in quarantine until it is certain that nobody asks for it",
    ),
    "create_index": Operation(
        title="create an index on an empty table",
        risk=Risk.LOW,
        lock=_S,
        reason="there are no rows",
    ),
    "create_index_concurrently": Operation(
        title="create an index while others write",
        risk=Risk.LOW,
        lock=_SUE,
        per_row_s=2 * INDEX_S,
        reason="reads all rows twice, but keeps nobody from writing",
    ),
    "attach_unique": Operation(
        title="make a unique index a constraint",
        risk=Risk.MEDIUM,
        lock=_AE,
        reason="changes the catalogue only; rows that are not unique are refused from "
        "now on",
    ),
    "add_unique": Operation(
        title="add a unique constraint to an empty table",
        risk=Risk.LOW,
        lock=_AE,
        reason="there are no rows",
    ),
    "drop_index": Operation(
        title="drop an index while others write",
        risk=Risk.MEDIUM,
        lock=_SUE,
        reason="queries that used it become slower",
    ),
    "drop_unique": Operation(
        title="drop a unique constraint",
        risk=Risk.MEDIUM,
        lock=_AE,
        reason="rows need no longer be unique, and queries that used it become slower",
    ),
    "add_foreign_key": Operation(
        title="add a foreign key to an empty table",
        risk=Risk.LOW,
        lock=_SRE,
        reason="there are no rows",
    ),
    "add_foreign_key_not_valid": Operation(
        title="hold new rows against a foreign key",
        risk=Risk.MEDIUM,
        lock=_SRE,
        reason="both tables wait with writes for a moment; rows that refer to nothing "
        "are refused from now on",
    ),
    "validate_foreign_key": Operation(
        title="hold old rows against a foreign key",
        risk=Risk.LOW,
        lock=_SUE,
        per_row_s=2 * SCAN_S,
        reason="reads all rows, but keeps nobody from reading or writing",
    ),
    "drop_foreign_key": Operation(
        title="drop a foreign key",
        risk=Risk.MEDIUM,
        lock=_AE,
        reason="locks both tables for a moment; rows may refer to nothing from now on",
    ),
    "drop_key": Operation(
        title="drop a primary key",
        risk=Risk.HIGH,
        lock=_AE,
        reason="rows need no longer be unique, and programs of before find none",
    ),
    "add_key": Operation(
        title="add a primary key",
        risk=Risk.HIGH,
        is_growing=True,
        lock=_AE,
        per_row_s=INDEX_S,
        reason="makes an index while nobody can read or write",
    ),
    "add_identity": Operation(
        title="let the database make the values of a key",
        risk=Risk.MEDIUM,
        lock=_AE,
        reason="changes the catalogue only; counting begins behind the greatest value",
    ),
    "drop_identity": Operation(
        title="no longer let the database make the values of a key",
        risk=Risk.HIGH,
        lock=_AE,
        reason="programs of before can no longer insert",
    ),
}
