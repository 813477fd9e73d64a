"""The shape of a SQLite database: its pragmas, and the text of its tables.

One statement per kind of thing, for all tables at once.
Source: sqlite.org/pragma.html, "PRAGMA functions".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from ...drivers import Connection
from ...errors import DriverError
from ...sql import Statement
from .._shape import (
    Check,
    Column,
    ForeignKey,
    IndexPart,
    Key,
    Schema,
    TableIndex,
    TableShape,
    Unique,
    View,
)
from ._sqlite_text import ColumnText, TableText, read_index, read_table
from ._types import ColumnType, field_type

__all__ = ["read_sqlite"]

_OF_TABLES: Final = "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

_MASTER: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master "
    "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)
_COLUMNS: Final = (
    'SELECT m.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden '
    "FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x WHERE {which} "
    "ORDER BY m.name, x.cid"
)
_INDEXES: Final = (
    'SELECT m.name, l.name, l."unique", l.origin, l.partial, x.cid, x.name, x."desc" '
    "FROM sqlite_master AS m, pragma_index_list(m.name) AS l, "
    f"pragma_index_xinfo(l.name) AS x WHERE {_OF_TABLES} AND x.key "
    "ORDER BY m.name, l.name, x.seqno"
)
_FOREIGN_KEYS: Final = (
    'SELECT m.name, f.id, f."table", f."from", f."to", f.on_delete, f.on_update '
    f"FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE {_OF_TABLES} "
    "ORDER BY m.name, f.id, f.seq"
)

# What stands there under "hidden": sqlite.org/pragma.html#pragma_table_xinfo.
_HIDDEN, _VIRTUAL, _STORED = 1, 2, 3

_Rows = Sequence[Sequence[Any]]


async def read_sqlite(connection: Connection) -> Schema:
    """Read tables and views; a view that is broken has no columns.

    Raises:
        DriverError: The database could not be read.
    """
    texts = (_MASTER, _COLUMNS.format(which=_OF_TABLES), _INDEXES, _FOREIGN_KEYS)
    results = await connection.run([Statement(t, returns_rows=True) for t in texts])
    master, columns, indexes, foreign_keys = (result.rows for result in results)
    reader = _Reader(master, columns, indexes, foreign_keys)
    named = [row[1] for row in master if row[0] == "view"]
    tables = [reader.table(name, text) for name, text in reader.tables()]
    views = await _views(connection, named) if named else {}
    return Schema(
        dialect="sqlite",
        tables=tuple(sorted(tables, key=lambda each: each.name)),
        views=tuple(
            View(name=name, columns=views.get(name, ()), definition=reader.text(name))
            for name in sorted(named)
        ),
    )


async def _views(
    connection: Connection, names: Sequence[str]
) -> dict[str, tuple[Column, ...]]:
    """Return the columns of views; each by itself, should one be broken."""
    every = _COLUMNS.format(which="m.type = 'view'")
    one = _COLUMNS.format(which="m.type = 'view' AND m.name = ?1")
    # In transactions of their own, or savepoints: a migration reads inside of one.
    rows: list[Sequence[Any]]
    try:
        async with connection.transaction():
            (result,) = await connection.run([Statement(every, returns_rows=True)])
        rows = [*result.rows]
    except DriverError:
        rows = []
        for name in names:
            with suppress(DriverError):
                async with connection.transaction():
                    statement = Statement(one, (name,), returns_rows=True)
                    rows += (await connection.run([statement]))[0].rows
    by_view: dict[str, list[Column]] = defaultdict(list)
    for view, *facts in rows:
        by_view[view].append(_column(facts, ColumnText(), is_rowid=False))
    return {view: tuple(columns) for view, columns in by_view.items()}


class _Reader:
    """The rows of the catalogue, by table."""

    def __init__(
        self, master: _Rows, columns: _Rows, indexes: _Rows, foreign_keys: _Rows
    ) -> None:
        self._texts = {row[1]: row[3] or "" for row in master}
        self._tables = [row[1] for row in master if row[0] == "table"]
        self._columns = _by_table(columns)
        self._indexes = _by_table(indexes)
        self._foreign_keys = _by_table(foreign_keys)
        # The table of a foreign key is written as its author did.
        self._spelled = {name.lower(): name for name in self._tables}
        self._keys = {
            name: self._key_columns(self._columns[name]) for name in self._tables
        }

    def text(self, name: str) -> str:
        """Return the statement that made something."""
        return str(self._texts[name])

    def tables(self) -> list[tuple[str, str]]:
        """Return names and texts, without the tables behind virtual ones."""
        virtual = tuple(
            f"{name}_"
            for name in self._tables
            if self._texts[name].lstrip()[:14].upper() == "CREATE VIRTUAL"
        )
        return [
            (name, self._texts[name])
            for name in self._tables
            if not name.startswith(virtual)
        ]

    def table(self, name: str, text: str) -> TableShape:
        """Return the shape of one table."""
        said, rows, key = read_table(text), self._columns[name], self._keys[name]
        indexes = _grouped(self._indexes[name])
        is_rowid = len(key) == 1 and not any(rows_[0][2] == "pk" for rows_ in indexes)
        return TableShape(
            name=name,
            columns=tuple(
                _column(
                    row,
                    said.columns.get(row[0], ColumnText()),
                    is_rowid=is_rowid and row[4] > 0,
                )
                for row in rows
                if row[5] != _HIDDEN
            ),
            key=Key(key, said.key) if key else None,
            uniques=_uniques(indexes, said),
            checks=tuple(
                sorted((Check(condition, n) for n, condition in said.checks), key=_name)
            ),
            indexes=tuple(
                self._index(rows_) for rows_ in indexes if rows_[0][2] == "c"
            ),
            foreign_keys=self._foreign(name, said),
        )

    @staticmethod
    def _key_columns(rows: _Rows) -> tuple[str, ...]:
        key = sorted((row for row in rows if row[4]), key=lambda row: int(row[4]))
        return tuple(row[0] for row in key)

    def _index(self, rows: _Rows) -> TableIndex:
        name, is_unique, _, is_partial, *_ = rows[0]
        said = read_index(self._texts[name])
        return TableIndex(
            name=name,
            parts=tuple(
                # An expression has no name: sqlite.org/pragma.html#pragma_index_xinfo.
                IndexPart(
                    said.parts[at] if row[5] is None else row[5],
                    is_expression=row[5] is None,
                    is_descending=bool(row[6]),
                )
                for at, row in enumerate(rows)
            ),
            is_unique=bool(is_unique),
            where=said.where if is_partial else None,
        )

    def _foreign(self, name: str, said: TableText) -> tuple[ForeignKey, ...]:
        made: list[ForeignKey] = []
        for rows in _grouped(self._foreign_keys[name]):
            _, target, *_, on_delete, on_update = rows[0]
            target = self._spelled.get(target.lower(), target)
            columns = tuple(row[2] for row in rows)
            named, is_deferrable = said.foreign_keys.get(columns, (None, False))
            is_short = any(row[3] is None for row in rows)
            # And so are its columns.
            spelled = {row[0].lower(): row[0] for row in self._columns[target]}
            made.append(
                ForeignKey(
                    columns=columns,
                    target=target,
                    target_columns=self._keys.get(target, ())
                    if is_short
                    else tuple(spelled.get(row[3].lower(), row[3]) for row in rows),
                    on_delete=on_delete,
                    on_update=on_update,
                    is_deferrable=is_deferrable,
                    name=named,
                )
            )
        return tuple(sorted(made, key=lambda each: (each.columns, each.target)))


def _by_table(rows: _Rows) -> defaultdict[str, list[Sequence[Any]]]:
    grouped: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for table, *rest in rows:
        grouped[table].append(rest)
    return grouped


def _grouped(rows: Iterable[Sequence[Any]]) -> list[list[Sequence[Any]]]:
    """Group rows by what stands first in them."""
    grouped: dict[Any, list[Sequence[Any]]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    return list(grouped.values())


def _column(facts: Sequence[Any], said: ColumnText, *, is_rowid: bool) -> Column:
    name, type_, not_null, default, in_key, hidden = facts
    return Column(
        name=name,
        type=type_,
        field_type=field_type("sqlite", ColumnType(type_)),
        is_nullable=not (not_null or (is_rowid and in_key)),
        default=default,
        identity="rowid" if is_rowid else None,
        is_autoincrement=said.is_autoincrement,
        generated=said.generated if hidden in (_VIRTUAL, _STORED) else None,
        is_stored=hidden == _STORED,
        collation=said.collation,
    )


def _uniques(
    indexes: Sequence[Sequence[Sequence[Any]]], said: TableText
) -> tuple[Unique, ...]:
    groups = [tuple(row[5] for row in rows) for rows in indexes if rows[0][2] == "u"]
    return tuple(Unique(group, said.uniques.get(group)) for group in sorted(groups))


def _name(check: Check) -> tuple[str, str]:
    return check.name or "", check.condition
