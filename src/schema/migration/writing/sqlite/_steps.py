"""Changes as steps on SQLite: in place where it can, else by the recipe of `_rebuild`.

All steps of a migration are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from msgspec.structs import replace

from .....sql import SQLITE
from ...._shape import TableIndex, TableShape
from ..._step import Proof, Step
from ...planning import (
    AddColumn,
    AddIndex,
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
    RenameIndex,
    RenameTable,
    SetIdentity,
    SetNotNull,
    evolved,
)
from .._proofs import no_twins
from .._text import column_text, create_index, create_table, quote
from ._draft import filling
from ._new_table import NewTableDraft

__all__ = ["sqlite_steps"]


def sqlite_steps(
    changes: Iterable[Change], tables: Mapping[str, TableShape], facts: Facts
) -> tuple[list[Step], list[str]]:
    """Return the steps that make *changes*, and what keeps them from being made.

    Args:
        changes: In their order.
        tables: The tables there are, as they are once renamed.
        facts: What is known of them, by the names of before.
    """
    writer = _Writer(tables, facts)
    changes = list(changes)
    renames = [each for each in changes if isinstance(each, RenameTable | RenameColumn)]
    others = [each for each in changes if each not in renames]
    for rename in renames:
        writer.rename(rename)
    for change in others:
        if isinstance(change, CreateTable):
            writer.create(change)
    kept = [each for each in others if not isinstance(each, CreateTable)]
    kept.sort(key=lambda change: change.table)
    for table, group in groupby(kept, lambda change: change.table):
        writer.change(table, list(group))
    writer.steps.sort(key=lambda step: step.operation == "quarantine_table")
    return writer.steps, writer.problems


class _Writer(NewTableDraft):
    # -- whole tables -----------------------------------------------------------

    def rename(self, change: RenameTable | RenameColumn) -> None:
        """Rename a table or a column, in place."""
        table = quote(change.table)
        self._renamed.add(change.table)
        if isinstance(change, RenameTable):
            old, new = change.old, change.table
            self._old[new] = old
            self._add(
                "rename_table",
                new,
                f"rename table {old} to {new}",
                [f"ALTER TABLE {quote(old)} RENAME TO {table}"],
                [f"ALTER TABLE {table} RENAME TO {quote(old)}"],
            )
            return
        self._rename_column(
            "rename_column",
            change.table,
            f"rename column {change.old} of {change.table} to {change.new}",
            (change.old, change.new),
        )

    def create(self, change: CreateTable) -> None:
        """Create a table with its indexes."""
        shape = change.shape
        statements = [create_table(shape, SQLITE)]
        statements += [
            create_index(each, shape.name, says_nulls=False) for each in shape.indexes
        ]
        self._add(
            "create_table",
            change.table,
            f"create table {change.table}",
            statements,
            [f"DROP TABLE {quote(change.table)}"],
            is_lossy=True,
        )

    def change(self, table: str, changes: Sequence[Change]) -> None:
        """Change a table that is there."""
        for change in changes:
            if isinstance(change, DropTable):
                self._drop_table(change)
                return
        self._drop_indexes(table, changes)
        changes = self._quarantine(changes)
        late = self._filled_when_converted(table, changes)
        changes = self._fill_first(table, [c for c in changes if c not in late])
        if self._is_to_be_rebuilt(table, changes):
            self._rebuild(table, changes)
        else:
            self._add_columns(table, changes)
        if late:
            self._rebuild(table, self._fill_first(table, late))
        self._add_indexes(table, changes)

    def _filled_when_converted(
        self, table: str, changes: Sequence[Change]
    ) -> list[Change]:
        """Return what needs values of a type that their column does not have yet."""
        converted = {each.new.name for each in changes if isinstance(each, ChangeType)}
        return [
            each
            for each in changes
            if isinstance(each, SetNotNull)
            and each.column.name in converted
            and self._is_filled_by_rows(table, each)
        ]

    def _is_filled_by_rows(self, table: str, change: AddColumn | SetNotNull) -> bool:
        """Whether a value has to be made for each row that is there."""
        has_factory = change.fill is not None and change.fill.factory is not None
        return has_factory and not self._of(table).is_empty

    def _drop_table(self, change: DropTable) -> None:
        old, new = quote(change.table), quote(change.quarantine)
        self._add(
            "quarantine_table",
            change.table,
            f"drop table {change.table}, kept as {change.quarantine}",
            [f"ALTER TABLE {old} RENAME TO {new}"],
            [f"ALTER TABLE {new} RENAME TO {old}"],
        )

    # -- indexes ----------------------------------------------------------------

    def _drop_indexes(self, table: str, changes: Sequence[Change]) -> None:
        dropped = [each.index for each in changes if isinstance(each, DropIndex)]
        dropped += [each.old for each in changes if isinstance(each, RenameIndex)]
        for index in dropped:
            self._add(
                "drop_index",
                table,
                f"drop index {index.name} of {table}",
                [f"DROP INDEX {quote(index.name)}"],
                [create_index(index, table, says_nulls=False)],
            )
            self._tables[table] = evolved(
                self._tables[table], [DropIndex(table=table, index=index)]
            )

    def _add_indexes(self, table: str, changes: Sequence[Change]) -> None:
        added = [each.index for each in changes if isinstance(each, AddIndex)]
        added += [each.new for each in changes if isinstance(each, RenameIndex)]
        for index in added:
            self._add(
                "create_index",
                table,
                f"create index {index.name} on {table}",
                [
                    *self._twins(table, index),
                    create_index(index, table, says_nulls=False),
                ],
                [f"DROP INDEX {quote(index.name)}"],
            )

    def _twins(self, table: str, index: TableIndex) -> list[Proof]:
        if not index.is_unique or len(index.columns) < len(index.parts):
            return []
        return [no_twins(table, index.columns, index.where)]

    # -- columns ----------------------------------------------------------------

    def _rename_column(
        self, operation: str, table: str, text: str, pair: tuple[str, str]
    ) -> None:
        old, new = map(quote, pair)
        alter = f"ALTER TABLE {quote(table)} RENAME COLUMN"
        forth, back = f"{alter} {old} TO {new}", f"{alter} {new} TO {old}"
        self._add(operation, table, text, [forth], [back])

    def _quarantine(self, changes: Sequence[Change]) -> list[Change]:
        """Rename what is dropped, and return what is left to do: to let it be NULL."""
        left: list[Change] = []
        for change in changes:
            if not isinstance(change, DropColumn):
                left.append(change)
                continue
            table, column, kept = change.table, change.column, change.quarantine
            self._rename_column(
                "quarantine_column",
                table,
                f"drop column {column.name} of {table}, kept as {kept}",
                (column.name, kept),
            )
            rename = RenameColumn(table=table, old=column.name, new=kept)
            self._tables[table] = evolved(self._tables[table], [rename])
            left = [_renamed(each, column.name, kept) for each in left]
            is_key = column.identity is not None
            if is_key or not (column.is_nullable or column.generated):
                named = replace(column, name=kept)
                free = replace(named, identity=None, is_autoincrement=False)
                if is_key:
                    left.append(SetIdentity(table=table, old=named, new=free))
                left.append(DropNotNull(table=table, column=named))
        return left

    def _fill_first(self, table: str, changes: Sequence[Change]) -> list[Change]:
        """Make values row by row where a factory makes them; return what is left."""
        left: list[Change] = []
        for change in changes:
            if not isinstance(
                change, AddColumn | SetNotNull
            ) or not self._is_filled_by_rows(table, change):
                left.append(change)
                continue
            column = change.column
            if isinstance(change, AddColumn):
                free = replace(
                    change, column=replace(column, is_nullable=True), fill=None
                )
                self._add_columns(table, [free])
            self._fill_rows(table, column)
            if not column.is_nullable:
                left.append(SetNotNull(table=table, column=column))
        return left

    def _add_columns(self, table: str, changes: Sequence[Change]) -> None:
        for change in changes:
            if not isinstance(change, AddColumn):
                continue
            column, fill = change.column, change.fill
            text = column_text(column, self._tables[table], SQLITE)
            if fill is not None and fill.factory is None:
                text += f" DEFAULT {filling(fill, column)}"
            name = quote(table)
            self._add(
                "add_column",
                table,
                f"add column {column.name} to {table}",
                [f"ALTER TABLE {name} ADD COLUMN {text}"],
                [f"ALTER TABLE {name} DROP COLUMN {quote(column.name)}"],
                is_lossy=True,
            )
            self._tables[table] = evolved(self._tables[table], [change])


def _renamed(change: Change, old: str, new: str) -> Change:
    """Return a change of a constraint that follows the renamed column."""
    match change:
        case DropUnique():
            columns = tuple(new if c == old else c for c in change.unique.columns)
            return replace(change, unique=replace(change.unique, columns=columns))
        case DropKey():
            columns = tuple(new if c == old else c for c in change.key.columns)
            return replace(change, key=replace(change.key, columns=columns))
        case DropForeignKey():
            key = change.foreign_key
            columns = tuple(new if c == old else c for c in key.columns)
            return replace(change, foreign_key=replace(key, columns=columns))
        case _:
            return change
