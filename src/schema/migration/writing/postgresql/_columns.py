"""Columns on PostgreSQL: adding, dropping, changing, and NOT NULL in steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from .....models import Kind
from .....sql import POSTGRESQL
from ...._shape import Column
from ..._step import Proof
from ...planning import (
    AddColumn,
    ChangeType,
    DropColumn,
    DropNotNull,
    Fill,
    RenameColumn,
    SetNotNull,
    TableFacts,
    fitting_name,
)
from .._conversion import conversion, reversal
from .._literal import literal, quoted
from .._proofs import no_conversion, no_nulls, no_value, no_value_of
from .._text import column_text, quote, type_text
from ._draft import Draft, drop_constraint

__all__ = ["CHECK_PREFIX", "ColumnDraft"]

CHECK_PREFIX: Final = "_dataflow_not_null_"
"""How the name of a check begins that stands in for NOT NULL for a while."""

_FAST_DEFAULT: Final = 11
_NULL_BY_CHECK: Final = 12
_ASKED_OF_INPUT: Final = 16
"""Versions of PostgreSQL that brought these. Source: its release notes."""


class ColumnDraft(Draft):
    """Writes the steps of changes that are about columns."""

    def _rename_column(self, change: RenameColumn) -> None:
        table, old, new = quote(change.table), quote(change.old), quote(change.new)
        self._renamed.add(change.table)
        self._old_columns[change.table, change.new] = change.old
        self._add(
            "rename_column",
            change.table,
            f"rename column {change.old} of {change.table} to {change.new}",
            [f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}"],
            [f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}"],
        )

    def _add_column(self, change: AddColumn) -> None:
        column, fill, facts = change.column, change.fill, self._of(change.table)
        if column.identity is not None:
            self._add_identity_column(change)
        elif fill is not None and fill.factory is None and self._is_fast(facts):
            self._filled_column(change, fill)
        elif facts.is_empty:
            is_free = column.is_nullable
            operation = "add_column" if is_free else "add_empty_column"
            self._plain_column(change, operation, column)
        elif fill is None and not column.is_nullable:
            self.problems.append(no_value(change.table, column.name))
        elif fill is None:
            self._plain_column(change, "add_column", column)
        else:
            nullable = replace(column, is_nullable=True)
            self._plain_column(change, "add_column", nullable)
            self._require(change.table, column, fill)

    def _is_fast(self, facts: TableFacts) -> bool:
        """Whether a default is stored without a row being written."""
        return facts.is_empty or self._facts.version[0] >= _FAST_DEFAULT

    def _plain_column(self, change: AddColumn, operation: str, column: Column) -> None:
        table = self._tables[change.table]
        text = column_text(column, table, POSTGRESQL)
        self._add_column_step(change, operation, text)

    def _filled_column(self, change: AddColumn, fill: Fill) -> None:
        column, table = change.column, self._tables[change.table]
        value = literal(fill.value, fill.type, column.type, "postgresql")
        text = f"{column_text(column, table, POSTGRESQL)} DEFAULT {value}"
        self._add_column_step(change, "add_filled_column", text)

    def _add_identity_column(self, change: AddColumn) -> None:
        table = self._tables[change.table]
        text = column_text(change.column, table, POSTGRESQL)
        operation = "add_empty_column"
        if not self._of(change.table).is_empty:
            operation = "change_type"
        self._add_column_step(change, operation, text)

    def _add_column_step(self, change: AddColumn, operation: str, text: str) -> None:
        name, column = quote(change.table), quote(change.column.name)
        self._unread.add((change.table, change.column.name))
        self._add(
            operation,
            change.table,
            f"add column {change.column.name} to {change.table}",
            [f"ALTER TABLE {name} ADD COLUMN {text}"],
            [f"ALTER TABLE {name} DROP COLUMN {column}"],
            is_lossy=True,
        )

    def _drop_column(self, change: DropColumn) -> None:
        column, kept = change.column, quote(change.quarantine)
        table, name = f"ALTER TABLE {quote(change.table)}", quote(column.name)
        forth: list[str] = []
        back = [f"{table} RENAME COLUMN {kept} TO {name}"]
        if column.identity in {"always", "by default"}:
            forth.append(f"{table} ALTER COLUMN {name} DROP IDENTITY")
        if not column.is_nullable and column.generated is None:
            forth.append(f"{table} ALTER COLUMN {name} DROP NOT NULL")
            back.append(self._not_null_again(change.table, column.name))
        if column.identity in {"always", "by default"}:
            back += self._identity_again(change.table, column)
        forth.append(f"{table} RENAME COLUMN {name} TO {kept}")
        self._add(
            "quarantine_column",
            change.table,
            f"drop column {column.name} of {change.table}, kept as {change.quarantine}",
            forth,
            back,
        )

    def _change_type(self, change: ChangeType) -> None:
        old, new = change.old, change.new
        how = conversion(old, new, "postgresql")
        place = f"{change.table}.{new.name}"
        if how is None:
            self.problems.append(no_conversion(place, old, new))
            return
        operation = {
            "widen": "widen_type",
            "collate": "change_collation",
            "convert": "change_type",
            "narrow": "narrow_type",
        }[how.how]
        table, name = f"ALTER TABLE {quote(change.table)} ALTER COLUMN", quote(new.name)
        forth: list[str] = []
        back_to = self._reversed(old, new).format(name)
        back = [f"{table} {name} TYPE {type_text(old)} USING {back_to}"]
        if old.default is not None and not _is_same_kind(old, new):
            # One of another kind cannot be converted along with the rows.
            forth.append(f"{table} {name} DROP DEFAULT")
            back.append(f"{table} {name} SET DEFAULT {old.default}")
        using = how.forth.format(name)
        clause = "" if using == name else f" USING {using}"
        forth.append(f"{table} {name} TYPE {type_text(new)}{clause}")
        proofs: tuple[Proof, ...] = ()
        if how.back is not None and not self._of(change.table).is_empty:
            returned = how.back.format(f"({using})")
            proofs = (
                Proof(
                    f"SELECT 1 FROM {quote(change.table)} "
                    f"WHERE {returned} IS DISTINCT FROM {name} LIMIT 1",
                    no_value_of(place, new),
                ),
            )
        self._add(
            operation,
            change.table,
            f"change column {new.name} of {change.table} from {old.type} to {new.type}",
            forth,
            back,
            is_lossy=how.how != "collate",
            proofs=proofs,
        )

    def _reversed(self, old: Column, new: Column) -> str:
        """Return what undoes a conversion; text that is no value of before is let go.

        Rows that had none may have been given a default meanwhile.
        """
        back = reversal(old, new)
        is_text = new.field_type is not None and new.field_type.kind is Kind.STR
        is_asked = old.is_nullable and self._facts.version[0] >= _ASKED_OF_INPUT
        if not (is_text and is_asked) or old.type == "text":
            return back
        is_value = f"pg_input_is_valid({{0}}, {quoted(old.type)})"
        return f"CASE WHEN {is_value} THEN {back.replace('{}', '{0}')} END"

    # -- NOT NULL ----------------------------------------------------------------

    def _set_not_null(self, change: SetNotNull) -> None:
        self._require(change.table, change.column, change.fill)

    def _require(self, table: str, column: Column, fill: Fill | None) -> None:
        """Append the steps after which a column of a table with rows is filled."""
        facts = self._of(table)
        if column.is_nullable:
            if fill is not None:
                self._backfill(table, column, fill)
            return
        is_new_enough = self._facts.version[0] >= _NULL_BY_CHECK
        if facts.is_empty or not is_new_enough:
            if fill is not None and not facts.is_empty:
                self._backfill(table, column, fill)
            self._not_null(table, column, "set_not_null_directly", [])
            return
        check = fitting_name(f"{CHECK_PREFIX}{column.name}")
        is_begun = self._has_check(table, check)
        if not is_begun:
            self._check_not_null(table, column, check, fill)
        if fill is not None:
            # It is in the way of values that are taken back.
            drop = drop_constraint(table, check, is_certain=False)
            self._backfill(table, column, fill, [] if is_begun else [drop])
        self._validate(table, check, "validate_constraint")
        self._not_null(table, column, "set_not_null", [drop_constraint(table, check)])

    def _has_check(self, table: str, name: str) -> bool:
        return any(each.name == name for each in self._tables[table].checks)

    def _check_not_null(
        self, table: str, column: Column, check: str, fill: Fill | None
    ) -> None:
        name = quote(column.name)
        proofs: tuple[Proof, ...] = ()
        is_new = (table, column.name) in self._unread
        add = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(check)}"
        if fill is None and not is_new:
            proofs = (no_nulls(table, column.name),)
        self._add(
            "check_not_null",
            table,
            f"refuse NULL in {column.name} of new rows of {table}",
            [f"{add} CHECK ({name} IS NOT NULL) NOT VALID"],
            [drop_constraint(table, check, is_certain=False)],
            proofs=proofs,
        )

    def _not_null(
        self, table: str, column: Column, operation: str, after: list[str]
    ) -> None:
        alter = f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column.name)}"
        self._add(
            operation,
            table,
            f"make column {column.name} of {table} NOT NULL",
            [f"{alter} SET NOT NULL", *after],
            [f"{alter} DROP NOT NULL"],
        )

    def _leftover(self, table: str, check: str) -> None:
        """Drop a check that stands in for NOT NULL and is not needed any more."""
        text = drop_constraint(table, check)
        if any(text in step.work.statements for step in self.steps):
            return
        self._add(
            "drop_not_null",
            table,
            f"drop the check {check} that a migration before left behind",
            [text],
            None,
        )

    def _backfill(
        self, table: str, column: Column, fill: Fill, undo: Iterable[str] = ()
    ) -> None:
        value = None
        if fill.factory is None:
            value = literal(fill.value, fill.type, column.type, "postgresql")
        self._fill_rows(table, column, value, undo)

    def _drop_not_null(self, change: DropNotNull) -> None:
        alter = f"ALTER TABLE {quote(change.table)} ALTER COLUMN"
        name = quote(change.column.name)
        self._add(
            "drop_not_null",
            change.table,
            f"let column {change.column.name} of {change.table} be NULL",
            [f"{alter} {name} DROP NOT NULL"],
            [self._not_null_again(change.table, change.column.name)],
        )


def _is_same_kind(old: Column, new: Column) -> bool:
    before, after = old.field_type, new.field_type
    return bool(before and after and before.stored_kind is after.stored_kind)
