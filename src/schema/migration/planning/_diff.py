"""What differs between a database and what models ask of it; pure.

Rules of this file:

1. Only tables of the models are looked at, and those named to be dropped.
2. Columns that no field asks for are dropped, into quarantine. Constraints and indexes
   are, if they are ours: named as this package names them, or asked for by a
   migration before. Others, and defaults and checks, which no model can ask for, stay.
3. What is renamed is declared; what looks renamed and is not declared is a problem.
4. Constraints are compared by what they say, not by their names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ....models import FieldType
from ..._shape import (
    Column,
    ForeignKey,
    IndexPart,
    Schema,
    TableIndex,
    TableShape,
)
from ._change import (
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
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    SetIdentity,
    SetNotNull,
)
from ._evolve import column_renamed, retargeted
from ._names import default_names
from ._quarantine import is_quarantined, quarantine_name
from ._target import Target

__all__ = ["Difference", "diff"]


class Difference(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is to be done, in an order that works.

    Attributes:
        changes: One per difference.
        problems: What keeps them from being done; with any of them, nothing is.
        notes: What is left alone though no model asks for it.
        renamed: Tables before the migration, by the names they get.
        touched: Names of before of the tables that are there and are changed.
    """

    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    renamed: Mapping[str, TableShape] = {}
    touched: frozenset[str] = frozenset()


def diff(
    actual: Schema,
    target: Target,
    *,
    drops: Collection[str] = (),
    known: Collection[str] = (),
) -> Difference:
    """Return what makes *target* of *actual*.

    Args:
        actual: The database as it is.
        target: What it is to become.
        drops: Tables to drop, and columns, as ``table.column``, that are dropped
            rather than renamed.
        known: Constraints and indexes that models asked for before.
    """
    return _Differ(actual, target, drops, known).difference()


class _Differ:
    def __init__(
        self,
        actual: Schema,
        target: Target,
        drops: Collection[str],
        known: Collection[str],
    ) -> None:
        self._dialect = actual.dialect
        self._target = target
        self._drops = frozenset(drops)
        self._ours = frozenset(known)
        self._renames: list[Change] = []
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._actual = {each.name: each for each in actual.tables}
        self._views = {each.name for each in actual.views}

    def difference(self) -> Difference:
        for table in self._actual.values():
            self._ours |= default_names(table)
        self._rename()
        changes: list[Change] = []
        for table in self._target.schema.tables:
            found = self._actual.get(table.name)
            if found is not None:
                changes += self._of_table(found, table)
            elif table.name in self._views:
                self._notes.append(f"{table.name} is a view and stays as it is")
            else:
                changes.append(CreateTable(table=table.name, shape=table))
        changes += self._dropped_tables()
        changes.sort(key=lambda change: _ORDER[type(change).__name__])
        return Difference(
            changes=(*self._renames, *changes),
            problems=tuple(self._problems),
            notes=tuple(self._notes),
            renamed=self._actual,
            touched=self._touched([*self._renames, *changes]),
        )

    def _touched(self, changes: list[Change]) -> frozenset[str]:
        """Return the names of before of the tables that are changed."""
        old = {
            each.table: each.old for each in changes if isinstance(each, RenameTable)
        }
        names = {each.table for each in changes if not isinstance(each, CreateTable)}
        return frozenset(old.get(name, name) for name in names)

    # -- renames ----------------------------------------------------------------

    def _rename(self) -> None:
        """Rename what is declared to be, in the shapes too."""
        tables: dict[str, str] = {}
        for new, old in self._target.renamed_tables.items():
            if new not in self._actual and old in self._actual:
                self._renames.append(RenameTable(table=new, old=old))
                self._actual[new] = replace(self._actual.pop(old), name=new)
                tables[old] = new
        columns: dict[tuple[str, str], str] = {}
        for (table, new), old in self._target.renamed_columns.items():
            found = self._actual.get(table)
            if found is None or new in found.by_name or old not in found.by_name:
                continue
            self._renames.append(RenameColumn(table=table, old=old, new=new))
            self._actual[table] = column_renamed(found, old, new)
            columns[table, old] = new
        for name, table_ in self._actual.items():
            self._actual[name] = retargeted(table_, tables, columns)

    # -- tables -----------------------------------------------------------------

    def _dropped_tables(self) -> Iterator[Change]:
        wanted = {table.name for table in self._target.schema.tables}
        named = [name for name in sorted(self._drops) if "." not in name]
        for name in named:
            if name in wanted:
                problem = f"{name} is the table of a model: it cannot be dropped"
                self._problems.append(problem)
            elif name in self._actual:
                self._check_unreferenced(name, set(named))
                yield DropTable(
                    table=name,
                    shape=self._actual[name],
                    quarantine=quarantine_name(name, self._actual),
                )

    def _check_unreferenced(self, name: str, dropped: Collection[str]) -> None:
        wanted = {each.name: each for each in self._target.schema.tables}
        for table in self._actual.values():
            keys = wanted.get(table.name, table).foreign_keys
            if table.name not in dropped and any(key.target == name for key in keys):
                self._problems.append(
                    f"{name} cannot be dropped while {table.name} refers to it: "
                    "remove that foreign key first"
                )

    def _of_table(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        yield from self._columns(actual, target)
        yield from self._keys(actual, target)
        yield from self._uniques(actual, target)
        yield from self._indexes(actual, target)
        yield from self._foreign_keys(actual, target)

    # -- columns ----------------------------------------------------------------

    def _columns(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        table = target.name
        added = [each for each in target.columns if each.name not in actual.by_name]
        dropped = [
            each
            for each in actual.columns
            if each.name not in target.by_name and not is_quarantined(each.name)
        ]
        self._check_renames(table, added, dropped)
        for column in dropped:
            name = quarantine_name(column.name, actual.by_name)
            yield DropColumn(table=table, column=column, quarantine=name)
        for column in added:
            fill = self._target.fills.get((table, column.name))
            yield AddColumn(table=table, column=column, fill=fill)
        columns = [each and each.columns for each in (actual.key, target.key)]
        is_same_key = columns[0] == columns[1]
        for column in target.columns:
            found = actual.by_name.get(column.name)
            if found is not None:
                # SQLite's keys of others do not say that they are never NULL.
                is_key = all(
                    each is not None and column.name in each.columns
                    for each in (actual.key, target.key)
                )
                yield from self._of_column(
                    table, found, column, is_key=is_key, is_same_key=is_same_key
                )

    def _check_renames(
        self, table: str, added: list[Column], dropped: list[Column]
    ) -> None:
        for old in dropped:
            if f"{table}.{old.name}" in self._drops:
                continue
            alike = [new.name for new in added if self._is_same_type(old, new)]
            if alike:
                self._problems.append(
                    f"{table}.{old.name} is gone and {' and '.join(alike)} of the same "
                    f"type is new: declare field(renamed_from={old.name!r}) if it was "
                    f"renamed, or drop it by drops=[{f'{table}.{old.name}'!r}]"
                )

    def _of_column(
        self,
        table: str,
        actual: Column,
        target: Column,
        *,
        is_key: bool,
        is_same_key: bool,
    ) -> Iterator[Change]:
        is_other = bool(actual.identity) != bool(target.identity)
        if is_other and not (is_same_key and self._is_given(actual, target)):
            yield SetIdentity(table=table, old=actual, new=target)
        if not self._is_same_type(actual, target):
            yield ChangeType(table=table, old=actual, new=target)
        if actual.is_nullable and not (target.is_nullable or is_key):
            fill = self._target.fills.get((table, target.name))
            yield SetNotNull(table=table, column=target, fill=fill)
        if target.is_nullable and not actual.is_nullable:
            yield DropNotNull(table=table, column=target)

    def _is_given(self, actual: Column, target: Column) -> bool:
        """Whether both are keys whose values are given.

        SQLite could make values of one of ours as well, for it says INTEGER, where
        others say INT.
        """
        is_ours = target.identity == "rowid" and not target.is_autoincrement
        return is_ours and not actual.identity and self._is_same_type(actual, target)

    def _is_same_type(self, actual: Column, target: Column) -> bool:
        if _is_enum(actual.field_type) and target.type == "text":
            return True  # it holds what a Literal does
        if _is_enum(_element(actual)) and target.type == "text[]":
            return True
        # No model asks for the collation of the database, so any is as good.
        if target.collation is not None and actual.collation != target.collation:
            return False
        # What others call VARCHAR(20) or INT is stored as TEXT or INTEGER is, and a
        # domain as what it is made of.
        return (
            actual.type.upper() == target.type.upper()
            or actual.field_type == target.field_type is not None
        )

    # -- constraints and indexes --------------------------------------------------

    def _keys(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        found, wanted = actual.key, target.key
        if found and wanted and found.columns == wanted.columns:
            yield from self._renamed(target.name, found, wanted)
            return
        if found:
            yield DropKey(table=target.name, key=found)
        if wanted:
            yield AddKey(table=target.name, key=wanted)

    def _uniques(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        left = list(actual.uniques)
        for wanted in target.uniques:
            found = next(
                (each for each in left if each.columns == wanted.columns), None
            )
            if found is None:
                yield AddUnique(table=target.name, unique=wanted)
            else:
                left.remove(found)
                yield from self._renamed(target.name, found, wanted)
        for each in left:
            if self._is_ours(target, each.name, each.columns, "a unique constraint"):
                yield DropUnique(table=target.name, unique=each)

    def _indexes(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        table = target.name
        left = [each for each in actual.indexes if not _is_pending(each, target)]
        foreign = [each for each in left if not self._is_like_ours(each, actual)]
        for wanted in target.indexes:
            same = [each for each in left if _say_the_same(each, wanted)]
            found = next((each for each in same if each.name == wanted.name), None)
            found = found or next(
                (each for each in same if each.name in self._ours), None
            )
            found = found or next(
                (each for each in left if each in foreign and _serves(each, wanted)),
                None,
            )
            if found is None:
                yield AddIndex(table=table, index=wanted)
                continue
            left.remove(found)
            if found.name != wanted.name and found.name in self._ours:
                yield RenameIndex(table=table, old=found, new=wanted)
        for each in left:
            if each in foreign:
                note = f"{each.name} of {table} is an index of others and stays"
                self._notes.append(note)
            elif self._is_ours(target, each.name, each.columns, "an index"):
                yield DropIndex(table=table, index=each)

    def _is_like_ours(self, index: TableIndex, table: TableShape) -> bool:
        """Whether it is made as this package makes indexes of such columns."""
        has_nulls = self._dialect == "postgresql"

        def is_plain(part: IndexPart) -> bool:
            if part.is_expression or part.is_descending:
                return False
            is_nullable = table.by_name[part.text].is_nullable
            return part.is_null_first == (has_nulls and is_nullable)

        is_tree = (index.method, index.included) == ("btree", ())
        return is_tree and all(map(is_plain, index.parts))

    def _foreign_keys(self, actual: TableShape, target: TableShape) -> Iterator[Change]:
        left = list(actual.foreign_keys)
        for wanted in target.foreign_keys:
            facts = _unnamed(wanted)
            found = next((each for each in left if _sayable(each) == facts), None)
            if found is None:
                yield AddForeignKey(table=target.name, foreign_key=wanted)
            else:
                left.remove(found)
                yield from self._renamed(target.name, found, wanted)
        for each in left:
            is_sayable = "SET DEFAULT" not in (each.on_delete, each.on_update)
            if not is_sayable or each.target_schema is not None:
                continue  # no model can ask for it
            if self._is_ours(target, each.name, each.columns, "a foreign key"):
                yield DropForeignKey(table=target.name, foreign_key=each)

    def _renamed(self, table: str, found: Any, wanted: Any) -> Iterator[Change]:  # noqa: ANN401  # each kind of constraint has a name
        """Give a constraint of ours the name of now."""
        is_named = found.name and wanted.name and found.name != wanted.name
        if is_named and found.name in self._ours:
            yield RenameConstraint(table=table, old=found.name, new=wanted.name)

    def _is_ours(
        self, target: TableShape, name: str | None, columns: Collection[str], what: str
    ) -> bool:
        """Whether it may be dropped; says so where it may not."""
        is_about_kept = all(each in target.by_name for each in columns)
        if name is None or name in self._ours:
            return True
        if is_about_kept:
            self._notes.append(f"{name} of {target.name} is {what} of others and stays")
        return False


def _is_enum(type_: FieldType | None) -> bool:
    return type_ is not None and bool(type_.choices)


def _element(column: Column) -> FieldType | None:
    return None if column.field_type is None else column.field_type.element


def _say_the_same(one: TableIndex, other: TableIndex) -> bool:
    return replace(one, name="") == replace(other, name="")


def _is_pending(index: TableIndex, target: TableShape) -> bool:
    """Whether an index waits to become the constraint whose name it has."""
    parts = tuple(IndexPart(each.text) for each in index.parts)
    is_whole = index.is_unique and index.is_plain and parts == index.parts
    return is_whole and any(
        (each.name, each.columns) == (index.name, index.columns)
        for each in target.uniques
    )


def _serves(index: TableIndex, wanted: TableIndex) -> bool:
    """Whether an index of others, in an order of theirs, is as good as *wanted*."""
    is_alike = (index.columns, index.is_unique) == (wanted.columns, wanted.is_unique)
    return is_alike and index.is_plain


def _sayable(key: ForeignKey) -> ForeignKey:
    """Return what of a foreign key a model can say."""
    return replace(key, name=None, is_deferrable=False)


def _unnamed(value: Any) -> Any:  # noqa: ANN401  # as it came
    return replace(value, name=None)


_SEQUENCE = (
    CreateTable,
    DropForeignKey,
    DropUnique,
    DropIndex,
    DropKey,
    RenameConstraint,
    RenameIndex,
    DropColumn,
    AddColumn,
    ChangeType,
    DropNotNull,
    SetNotNull,
    AddKey,
    SetIdentity,
    AddUnique,
    AddIndex,
    AddForeignKey,
    DropTable,
)
_ORDER = {kind.__name__: place for place, kind in enumerate(_SEQUENCE)}
