"""Keys, unique constraints, indexes and foreign keys on PostgreSQL."""

from __future__ import annotations

from ...._shape import IndexPart, TableIndex
from ..._risk import Risk
from ..._step import Proof
from ...planning import (
    AddForeignKey,
    AddIndex,
    AddKey,
    AddUnique,
    DropForeignKey,
    DropIndex,
    DropKey,
    DropUnique,
    RenameConstraint,
    RenameIndex,
    SetIdentity,
)
from .._proofs import no_orphans, no_twins
from .._text import create_index, foreign_key_text, names, quote, unique_text
from ._draft import Draft, drop_constraint, identity

__all__ = ["ConstraintDraft"]


class ConstraintDraft(Draft):
    """Writes the steps of changes that are about constraints and indexes."""

    def _set_identity(self, change: SetIdentity) -> None:
        table, name = change.table, change.new.name
        alter = f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(name)}"
        drop = f"{alter} DROP IDENTITY"
        if change.new.identity is None:
            is_serial = change.old.identity == "serial"
            forth = f"{alter} DROP DEFAULT" if is_serial else drop
            text = f"no longer make values for {name} of {table}"
            undo = self._identity_again(table, change.old)
            self._add("drop_identity", table, text, [forth], undo)
            return
        text = f"make values for {name} of {table}"
        self._add("add_identity", table, text, identity(table, change.new), [drop])

    def _drop_key(self, change: DropKey) -> None:
        table, key = quote(change.table), change.key
        add = f"ALTER TABLE {table} ADD CONSTRAINT {quote(key.name or '')} PRIMARY KEY "
        self._add(
            "drop_key",
            change.table,
            f"drop the primary key {', '.join(key.columns)} of {change.table}",
            [drop_constraint(change.table, key.name)],
            [f"{add}{names(key.columns)}"],
        )

    def _add_key(self, change: AddKey) -> None:
        key, table = change.key, quote(change.table)
        proofs: tuple[Proof, ...] = ()
        if not self._of(change.table).is_empty:
            proofs = (no_twins(change.table, key.columns),)
        add = f"ALTER TABLE {table} ADD CONSTRAINT {quote(key.name or '')} PRIMARY KEY "
        self._add(
            "add_key",
            change.table,
            f"make {', '.join(key.columns)} the primary key of {change.table}",
            [f"{add}{names(key.columns)}"],
            [drop_constraint(change.table, key.name)],
            proofs=self._if_readable(change.table, key.columns, proofs),
        )

    # -- unique constraints and indexes ------------------------------------------

    def _add_unique(self, change: AddUnique) -> None:
        table, unique = change.table, change.unique
        name = unique.name or ""
        text = f"make {', '.join(unique.columns)} of {table} unique"
        drop = [drop_constraint(table, name)]
        if self._of(table).is_empty:
            add = f"ALTER TABLE {quote(table)} ADD {unique_text(unique)}"
            self._add("add_unique", table, text, [add], drop)
            return
        index = TableIndex(
            name=name,
            parts=tuple(IndexPart(column) for column in unique.columns),
            is_unique=True,
        )
        twins = (no_twins(table, unique.columns),)
        proofs = self._if_readable(table, unique.columns, twins)
        if not self._has_index(table, name):
            self._concurrently(table, index, proofs)
        add = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)} UNIQUE USING INDEX "
        self._add("attach_unique", table, text, [f"{add}{quote(name)}"], drop)

    def _has_index(self, table: str, name: str) -> bool:
        """Whether an index waits to be made a constraint."""
        is_there = any(each.name == name for each in self._tables[table].indexes)
        return is_there and name not in self._of(table).invalid

    def _drop_unique(self, change: DropUnique) -> None:
        table, unique = change.table, change.unique
        self._add(
            "drop_unique",
            table,
            f"let {', '.join(unique.columns)} of {table} not be unique",
            [drop_constraint(table, unique.name)],
            [f"ALTER TABLE {quote(table)} ADD {unique_text(unique)}"],
        )

    def _add_index(self, change: AddIndex) -> None:
        table, index = change.table, change.index
        if not self._of(table).is_empty:
            self._concurrently(table, index, self._twins(table, index))
            return
        text = f"create index {index.name} on {table}"
        drop = [f"DROP INDEX {quote(index.name)}"]
        self._add("create_index", table, text, [create_index(index, table)], drop)

    def _twins(self, table: str, index: TableIndex) -> tuple[Proof, ...]:
        if not index.is_unique or len(index.columns) < len(index.parts):
            return ()
        where = index.where
        if where is not None and any(
            name in where for of, name in self._unread if of == table
        ):
            where = None  # a column that is not there yet says nothing of any row
        proofs = (no_twins(table, index.columns, where),)
        return self._if_readable(table, index.columns, proofs)

    def _concurrently(
        self, table: str, index: TableIndex, proofs: tuple[Proof, ...]
    ) -> None:
        if index.name in self._of(table).invalid:
            self._add(
                "drop_index",
                table,
                f"drop index {index.name} of {table}, which was never finished",
                [f"DROP INDEX CONCURRENTLY {quote(index.name)}"],
                [],
                mode="alone",
                risk=Risk.LOW,
            )
        self._add(
            "create_index_concurrently",
            table,
            f"create index {index.name} on {table}",
            [create_index(index, table, is_concurrent=True)],
            [f"DROP INDEX CONCURRENTLY IF EXISTS {quote(index.name)}"],
            mode="alone",
            proofs=proofs,
        )

    def _drop_index(self, change: DropIndex) -> None:
        table, index = change.table, change.index
        self._add(
            "drop_index",
            table,
            f"drop index {index.name} of {table}",
            [f"DROP INDEX CONCURRENTLY {quote(index.name)}"],
            [
                # One that was left unfinished would be in the way.
                f"DROP INDEX CONCURRENTLY IF EXISTS {quote(index.name)}",
                create_index(index, table, is_concurrent=True),
            ],
            mode="alone",
        )

    def _rename_index(self, change: RenameIndex) -> None:
        old, new = quote(change.old.name), quote(change.new.name)
        self._add(
            "rename_index",
            change.table,
            f"rename index {change.old.name} of {change.table} to {change.new.name}",
            [f"ALTER INDEX {old} RENAME TO {new}"],
            [f"ALTER INDEX {new} RENAME TO {old}"],
        )

    def _rename_constraint(self, change: RenameConstraint) -> None:
        table, old, new = quote(change.table), quote(change.old), quote(change.new)
        self._add(
            "rename_constraint",
            change.table,
            f"rename {change.old} of {change.table} to {change.new}",
            [f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}"],
            [f"ALTER TABLE {table} RENAME CONSTRAINT {new} TO {old}"],
        )

    # -- foreign keys -----------------------------------------------------------

    def _add_foreign_key(self, change: AddForeignKey) -> None:
        table, key = change.table, change.foreign_key
        text = f"add foreign key {key.name} to {table}"
        add = f"ALTER TABLE {quote(table)} ADD {foreign_key_text(key)}"
        drop = [drop_constraint(table, key.name)]
        if self._of(table).is_empty:
            self._late.append(self._step("add_foreign_key", table, text, [add], drop))
            return
        proofs: tuple[Proof, ...] = ()
        if key.target not in self._created:
            proofs = (no_orphans(table, key),)
        self._late.append(
            self._step(
                "add_foreign_key_not_valid",
                table,
                text,
                [f"{add} NOT VALID"],
                drop,
                proofs=self._if_readable(table, key.columns, proofs),
            )
        )
        self._late.append(
            self._validation(table, key.name or "", "validate_foreign_key")
        )

    def _drop_foreign_key(self, change: DropForeignKey) -> None:
        table, key = change.table, change.foreign_key
        self._add(
            "drop_foreign_key",
            table,
            f"drop foreign key {key.name} of {table}",
            [drop_constraint(table, key.name)],
            [f"ALTER TABLE {quote(table)} ADD {foreign_key_text(key)}"],
        )
