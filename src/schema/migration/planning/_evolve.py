"""What a table looks like after changes; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from ..._shape import Column, TableShape
from ._change import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddKey,
    AddUnique,
    Change,
    ChangeType,
    DropColumn,
    DropForeignKey,
    DropIndex,
    DropKey,
    DropNotNull,
    DropUnique,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    SetIdentity,
    SetNotNull,
)
from ._expression import renamed_in

__all__ = ["column_renamed", "evolved", "retargeted"]


def evolved(table: TableShape, changes: Iterable[Change]) -> TableShape:
    """Return what *table* looks like after *changes*, in their order."""
    for change in changes:
        table = _after(table, change)
    return table


def _after(table: TableShape, change: Change) -> TableShape:  # noqa: PLR0911  # a table
    match change:
        case RenameColumn():
            return column_renamed(table, change.old, change.new)
        case AddColumn():
            return replace(table, columns=(*table.columns, change.column))
        case DropColumn():
            table = column_renamed(table, change.column.name, change.quarantine)
            return _with_column(
                table,
                change.quarantine,
                is_nullable=True,
                identity=None,
                is_autoincrement=False,
            )
        case ChangeType():
            new = change.new
            return _with_column(
                table,
                new.name,
                type=new.type,
                field_type=new.field_type,
                collation=new.collation,
            )
        case SetNotNull():
            return _with_column(table, change.column.name, is_nullable=False)
        case DropNotNull():
            return _with_column(table, change.column.name, is_nullable=True)
        case SetIdentity():
            new = change.new
            return _with_column(
                table,
                new.name,
                identity=new.identity,
                is_autoincrement=new.is_autoincrement,
            )
        case _:
            return _constrained(table, change)


def _constrained(table: TableShape, change: Change) -> TableShape:  # noqa: PLR0911  # a table
    match change:
        case DropKey():
            return replace(table, key=None)
        case AddKey():
            return replace(table, key=change.key)
        case AddUnique():
            return replace(table, uniques=(*table.uniques, change.unique))
        case DropUnique():
            return replace(table, uniques=_without(table.uniques, change.unique))
        case AddIndex():
            return replace(table, indexes=(*table.indexes, change.index))
        case DropIndex():
            return replace(table, indexes=_without(table.indexes, change.index))
        case RenameIndex():
            kept = _without(table.indexes, change.old)
            return replace(table, indexes=(*kept, change.new))
        case AddForeignKey():
            added = (*table.foreign_keys, change.foreign_key)
            return replace(table, foreign_keys=added)
        case DropForeignKey():
            kept = _without(table.foreign_keys, change.foreign_key)
            return replace(table, foreign_keys=kept)
        case RenameConstraint():
            return _constraint_renamed(table, change.old, change.new)
        case _:
            return table


def _constraint_renamed(table: TableShape, old: str, new: str) -> TableShape:
    def named(each: Any) -> Any:  # noqa: ANN401  # each kind of constraint has a name
        return replace(each, name=new) if each.name == old else each

    return replace(
        table,
        key=table.key and named(table.key),
        uniques=tuple(map(named, table.uniques)),
        foreign_keys=tuple(map(named, table.foreign_keys)),
    )


def _without(values: tuple[Any, ...], value: object) -> tuple[Any, ...]:
    return tuple(each for each in values if each != value)


def _with_column(table: TableShape, name: str, **facts: Any) -> TableShape:  # noqa: ANN401  # of each its own type
    def changed(column: Column) -> Column:
        return replace(column, **facts) if column.name == name else column

    return replace(table, columns=tuple(map(changed, table.columns)))


def column_renamed(table: TableShape, old: str, new: str) -> TableShape:
    """Return *table* with a column called otherwise, wherever it is named."""

    def name(column: str) -> str:
        return new if column == old else column

    def names(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(name, columns))

    def text(expression: str | None) -> str | None:
        return expression and renamed_in(expression, old, new)

    return replace(
        table,
        columns=tuple(
            replace(each, name=name(each.name), generated=text(each.generated))
            for each in table.columns
        ),
        checks=tuple(
            replace(each, condition=renamed_in(each.condition, old, new))
            for each in table.checks
        ),
        key=table.key and replace(table.key, columns=names(table.key.columns)),
        uniques=tuple(
            replace(each, columns=names(each.columns)) for each in table.uniques
        ),
        indexes=tuple(
            replace(
                index,
                parts=tuple(
                    replace(
                        part,
                        text=renamed_in(part.text, old, new)
                        if part.is_expression
                        else name(part.text),
                    )
                    for part in index.parts
                ),
                where=text(index.where),
                included=names(index.included),
            )
            for index in table.indexes
        ),
        foreign_keys=tuple(
            replace(
                each,
                columns=names(each.columns),
                target_columns=names(each.target_columns)
                if each.target == table.name
                else each.target_columns,
            )
            for each in table.foreign_keys
        ),
    )


def retargeted(
    table: TableShape, tables: dict[str, str], columns: dict[tuple[str, str], str]
) -> TableShape:
    """Return *table* with foreign keys that follow renamed tables and columns.

    Args:
        table: Any.
        tables: New names of tables by the old ones.
        columns: New names of columns by the new name of the table and the old one.
    """
    made = [
        replace(
            each,
            target=(target := tables.get(each.target, each.target)),
            target_columns=tuple(
                columns.get((target, name), name) for name in each.target_columns
            ),
        )
        for each in table.foreign_keys
    ]
    return replace(table, foreign_keys=tuple(made))
