"""Changes as steps on PostgreSQL, safe by default.

Rules of this file: a table with rows is never read or written anew under a lock that
keeps others out, where there is another way; a unique constraint is an index made
concurrently and attached, a foreign key is added NOT VALID and validated, NOT NULL goes
by way of a check. A step that was left half done (an invalid index, a constraint that
is not validated) is found by its name and finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .....sql import POSTGRESQL
from ...._shape import TableShape
from ..._step import Step
from ...planning import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddKey,
    AddUnique,
    Change,
    ChangeType,
    CreateTable,
    DropColumn,
    DropForeignKey,
    DropIndex,
    DropKey,
    DropNotNull,
    DropTable,
    DropUnique,
    Facts,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    SetIdentity,
    SetNotNull,
    evolved,
)
from .._text import create_index, create_table, foreign_key_text, quote
from ._columns import CHECK_PREFIX, ColumnDraft
from ._constraints import ConstraintDraft
from ._draft import drop_constraint

__all__ = ["postgresql_steps"]


def postgresql_steps(
    changes: Iterable[Change], tables: Mapping[str, TableShape], facts: Facts
) -> tuple[list[Step], list[str]]:
    """Return the steps that make *changes*, and what keeps them from being made.

    Args:
        changes: In their order.
        tables: The tables there are, as they are once renamed.
        facts: What is known of them, by the names of now.
    """
    writer = _Writer(tables, facts)
    for change in changes:
        writer.write(change)
    writer.finish()
    return writer.steps, writer.problems


class _Writer(ColumnDraft, ConstraintDraft):
    def __init__(self, tables: Mapping[str, TableShape], facts: Facts) -> None:
        super().__init__(tables, facts)
        self._writers: dict[type, Callable[[Any], None]] = {
            CreateTable: self._create_table,
            RenameTable: self._rename_table,
            DropTable: self._drop_table,
            RenameColumn: self._rename_column,
            AddColumn: self._add_column,
            DropColumn: self._drop_column,
            ChangeType: self._change_type,
            SetNotNull: self._set_not_null,
            DropNotNull: self._drop_not_null,
            SetIdentity: self._set_identity,
            DropKey: self._drop_key,
            AddKey: self._add_key,
            AddUnique: self._add_unique,
            DropUnique: self._drop_unique,
            AddIndex: self._add_index,
            DropIndex: self._drop_index,
            RenameIndex: self._rename_index,
            RenameConstraint: self._rename_constraint,
            AddForeignKey: self._add_foreign_key,
            DropForeignKey: self._drop_foreign_key,
        }

    def write(self, change: Change) -> None:
        """Append the steps of one change."""
        self._writers[type(change)](change)
        table = self._tables.get(change.table)
        if table is not None:
            self._tables[change.table] = evolved(table, [change])

    def finish(self) -> None:
        """Append what must come last, and what earlier migrations left half done."""
        for name, table in self._tables.items():
            facts = self._of(name)
            for check in table.checks:
                if check.name and check.name.startswith(CHECK_PREFIX):
                    self._leftover(name, check.name)
            for key in table.foreign_keys:
                if key.name in facts.unvalidated and key.name:
                    self._validate(name, key.name, "validate_foreign_key")
        self.steps += self._late

    # -- tables -----------------------------------------------------------------

    def _create_table(self, change: CreateTable) -> None:
        shape, name = change.shape, quote(change.table)
        statements = [create_table(shape, POSTGRESQL)]
        statements += [create_index(each, shape.name) for each in shape.indexes]
        self._created.add(change.table)
        self._tables[change.table] = shape
        self._add(
            "create_table",
            change.table,
            f"create table {change.table}",
            statements,
            [f"DROP TABLE {name}"],
            is_lossy=True,
        )
        for key in shape.foreign_keys:
            text = f"ALTER TABLE {name} ADD {foreign_key_text(key)}"
            step = self._step(
                "add_foreign_key",
                change.table,
                f"add foreign key {key.name} to {change.table}",
                [text],
                [drop_constraint(change.table, key.name)],
            )
            self._late.append(step)

    def _rename_table(self, change: RenameTable) -> None:
        old, new = change.old, change.table
        self._old[new] = old
        self._renamed.add(new)
        self._add(
            "rename_table",
            new,
            f"rename table {old} to {new}",
            [f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}"],
            [f"ALTER TABLE {quote(new)} RENAME TO {quote(old)}"],
        )

    def _drop_table(self, change: DropTable) -> None:
        old, new = change.table, change.quarantine
        self._add(
            "quarantine_table",
            old,
            f"drop table {old}, kept as {new}",
            [f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}"],
            [f"ALTER TABLE {quote(new)} RENAME TO {quote(old)}"],
        )
