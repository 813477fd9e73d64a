"""The recipe by which SQLite changes what it cannot change in place.

A new table is made as it is to be, rows are copied, every value is compared with the one
it came from, then the new table takes the place of the old one. It runs inside of the
migration's transaction, with ``foreign_keys`` off since before that began: with them
on, dropping the old table would delete the rows that refer to it. Triggers and indexes
are made again afterwards; views stay, because the rename does not look at them.
Source: sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from .....sql import SQLITE
from ...._shape import TableShape
from ..._step import Proof, Work
from .._conversion import Conversion
from .._literal import quoted
from .._text import create_table, names, quote

__all__ = ["INTERIM", "Rebuild", "unkept"]

INTERIM: Final = "_dataflow_new_"
"""How the name of a table begins while it is made."""

_ROWIDS: Final = ("rowid", "_rowid_", "oid")
"""Names of the number each row has. Source: sqlite.org/rowidtable.html."""

_TAIL: Final = re.compile(r"\)([^()]*)$")
_UNKEPT: Final = re.compile(
    r"\bON\s+CONFLICT\b|\bINITIALLY\s+DEFERRED\b", re.IGNORECASE
)


def unkept(text: str) -> str | None:
    """Return what the text of a table says that a rebuild would lose, or None."""
    found = _UNKEPT.search(text)
    return None if found is None else found[0]


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One table, made anew.

    Attributes:
        old: As it is when this runs.
        new: As it is to be.
        text: The statement that made it, for what stands behind its last bracket.
        conversions: How columns become another type, by name.
        fills: What columns get where they have nothing, as SQL, by name.
    """

    old: TableShape
    new: TableShape
    text: str = ""
    conversions: Mapping[str, Conversion] = {}
    fills: Mapping[str, str] = {}

    def work(self) -> Work:
        """Return what is run."""
        table, interim = quote(self.old.name), quote(self._interim)
        return Work(
            statements=(
                create_table(self.new, SQLITE, name=self._interim, tail=self._tail),
                self._copy(),
                self._as_many(),
                *self._as_they_were(),
                *self._sequence(),
                f"DROP TABLE {table}",
                "PRAGMA legacy_alter_table = ON",
                f"ALTER TABLE {interim} RENAME TO {table}",
                "PRAGMA legacy_alter_table = OFF",
            ),
            objects_of=self.old.name,
        )

    def _copy(self) -> str:
        into, table = quote(self._interim), quote(self.old.name)
        values = ", ".join(self._sources.values())
        return (
            f"INSERT INTO {into} {names(self._sources)}\nSELECT {values}\nFROM {table}"
        )

    @property
    def _interim(self) -> str:
        return f"{INTERIM}{self.old.name}"

    @property
    def _tail(self) -> str:
        found = _TAIL.search(self.text)
        return "" if found is None or not found[1].strip() else f" {found[1].strip()}"

    @property
    def _has_rowid(self) -> bool:
        return "WITHOUT" not in self._tail.upper()

    @property
    def _rowid(self) -> str:
        taken = {each.name.lower() for each in (*self.old.columns, *self.new.columns)}
        return next(name for name in _ROWIDS if name not in taken)

    @property
    def _sources(self) -> dict[str, str]:
        """Where the value of each column of the new table comes from."""
        sources: dict[str, str] = {}
        for column in self.new.columns:
            if column.generated is not None:
                continue
            name = column.name
            source = self._source(name, "")
            if name not in self.old.by_name:
                is_counted = column.identity is not None and self._has_rowid
                source = self._rowid if is_counted else self.fills.get(name, "NULL")
            sources[name] = source
        if self._has_rowid and not any(each.identity for each in self.new.columns):
            sources[self._rowid] = self._rowid
        return sources

    def _source(self, name: str, prefix: str) -> str:
        place = f"{prefix}{quote(name)}"
        how = self.conversions.get(name)
        if how is not None:
            place = f"({how.forth.format(place)})"
        fill = self.fills.get(name)
        return place if fill is None else f"COALESCE({place}, {fill})"

    # -- proofs -----------------------------------------------------------------

    def _as_many(self) -> Proof:
        counts = [
            f"(SELECT count(*) FROM {quote(name)})"
            for name in (self.old.name, self._interim)
        ]
        return Proof(
            f"SELECT 1 WHERE {counts[0]} <> {counts[1]}",
            f"the copy of {self.old.name} has not as many rows: nothing was changed",
        )

    def _as_they_were(self) -> tuple[Proof, ...]:
        different = [
            self._is_different(column.name)
            for column in self.new.columns
            if column.name in self.old.by_name and column.generated is None
        ]
        if not different or self._join is None:
            return ()
        table, interim = quote(self.old.name), quote(self._interim)
        return (
            Proof(
                f"SELECT 1 FROM {table} AS o LEFT JOIN {interim} AS n ON {self._join} "
                f"WHERE {' OR '.join(different)} LIMIT 1",
                f"a value of {self.old.name} would not stay what it is: correct such "
                "rows first, or keep the type",
            ),
        )

    @property
    def _join(self) -> str | None:
        """How a row of the old table finds its copy."""
        if self._has_rowid:
            identity = [each.name for each in self.new.columns if each.identity]
            if identity and identity[0] in self.old.by_name:
                return f"n.{quote(identity[0])} = o.{quote(identity[0])}"
            return f"n.{self._rowid} = o.{self._rowid}"
        key = self.new.key
        if key is None or key != self.old.key:
            return None
        return " AND ".join(f"n.{quote(c)} = o.{quote(c)}" for c in key.columns)

    def _is_different(self, name: str) -> str:
        old, new = f"o.{quote(name)}", f"n.{quote(name)}"
        how = self.conversions.get(name)
        if how is None:
            same = f"{old} IS {new} COLLATE BINARY AND typeof({old}) = typeof({new})"
        elif how.back is None:
            same = f"({old} IS NULL) = ({new} IS NULL)"
        else:
            collation = how.collation or "BINARY"
            same = f"({how.back.format(new)}) IS {old} COLLATE {collation}"
        if name in self.fills:
            same = f"{old} IS NULL OR ({same})"
        return f"NOT ({same})"

    # -- counting ---------------------------------------------------------------

    def _sequence(self) -> tuple[str, ...]:
        """Go on counting where the old table stopped, so that no key comes again."""
        if not any(each.is_autoincrement for each in self.new.columns):
            return ()
        interim, table = quoted(self._interim), quoted(self.old.name)
        of = "FROM sqlite_sequence WHERE name ="
        begin = (
            f"INSERT INTO sqlite_sequence (name, seq) SELECT {interim}, 0 "
            f"WHERE NOT EXISTS (SELECT 1 {of} {interim})"
        )
        go_on = (
            "UPDATE sqlite_sequence SET seq = "
            f"max(seq, COALESCE((SELECT max(seq) {of} {table}), 0)) "
            f"WHERE name = {interim}"
        )
        return begin, go_on
