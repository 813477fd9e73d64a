"""What is recorded on SQLite: triggers fill a buffer, the connection folds it.

Rules of this file:

1. A trigger of SQLite runs for each row, so it does next to nothing: it copies the row
   into a table of the same columns, without an index. No function of ours is in it:
   whatever writes to the file fills the buffer, too.
2. Before a transaction of ours commits, the buffer becomes records of many rows, see
   `_tables`, and is empty. What is in it when one begins came from outside, and is
   folded first, without a leaf.
3. Text of JSON is made here and not in the trigger: a value that nobody would store (a
   blob where text belongs) is no reason to refuse a write.
4. An update that changes a key is a row that went, and one that came.
5. Personal values are put into records only where they are sealed next, see `sealing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from ...models import Kind, Model
from ...sql import SQLITE, Result, Statement
from ._personal import WITHHELD_JSON, anchors_of, seals
from ._tables import KEYS, RECORDS, ROWS_IN_RECORD
from ._text import literal, object_text

__all__ = ["BUFFER", "Buffer", "buffer_of", "key_of", "sqlite_trigger"]

BUFFER: Final = "dataflow_audit_buffer_"

_TEXTS: Final = 512
"""Texts that are kept: they are long, and each write needs one."""

_quote = SQLITE.quote


class Buffer(msgspec.Struct, frozen=True):
    """Where the triggers of one table put what changes.

    Attributes:
        table: Its name.
        model: Name of the model whose rows these are.
        names: Of their fields.
        is_full: Whether all values of a changed row are recorded, or those that differ.
        anchors: Names of the fields that are recorded of each change in any case.
        personal: Names of the fields that are personal.
    """

    table: str
    model: str
    names: tuple[str, ...]
    is_full: bool
    anchors: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()

    def create(self) -> Statement:
        """Return what creates it."""
        columns = ", ".join(
            _quote(f"{side}_{name}") for side in ("old", "new") for name in self.names
        )
        text = (
            f"CREATE TABLE IF NOT EXISTS {self.table} (id integer PRIMARY KEY, op, key"
        )
        return Statement(f"{text}, {columns})")

    def look(self) -> Statement:
        """Ask how many changes it holds: all of them, new rows, rows that went."""
        text = (
            "SELECT coalesce(max(id), 0), coalesce(sum(op = 'insert'), 0), "
            f"coalesce(sum(op = 'delete'), 0) FROM {self.table}"
        )
        return Statement(text, returns_rows=True)

    def fold(
        self, looked: Result, leaf: str | None, last: int, *, is_sealed: bool = False
    ) -> list[Statement]:
        """Return what makes records of it and empties it.

        Args:
            looked: What `look` gave; not nothing.
            leaf: That of the transaction; None for what came from outside.
            last: Id of the last record that is there.
            is_sealed: Whether personal values are sealed next; else they are left out.
        """
        n_rows, n_new, n_gone = looked.rows[0]
        hidden = frozenset[str]() if is_sealed else self.personal
        sides = _by_place(self, "?3", hidden)
        if n_rows == n_new:
            sides = "'insert'", "NULL", _in_order(self.names, "new", hidden)
        elif n_rows == n_gone:
            sides = "'delete'", _in_order(self.names, "old", hidden), "NULL"
        op, old, new = sides
        text = (
            f"INSERT INTO {RECORDS} (id, leaf, model, op, n, keys, old, new) SELECT ?1, "
            f"?2, {literal(self.model)}, {op}, count(*), json_group_array({_text('key')})"
            f", {old}, {new} FROM {self.table} WHERE id BETWEEN ?3 AND ?4"
        )
        firsts = range(1, n_rows + 1, ROWS_IN_RECORD)
        parts = [
            (last + n, leaf, first, first + ROWS_IN_RECORD - 1)
            for n, first in enumerate(firsts, 1)
        ]
        # Sorted: what is next to each other is written quickly.
        find = (
            f"INSERT OR IGNORE INTO {KEYS} SELECT {literal(self.model)}, {_text('key')} "
            f"AS k, ?1 + (id - 1) / {ROWS_IN_RECORD} FROM {self.table} ORDER BY k"
        )
        return [
            Statement(text, parts, many=True),
            Statement(find, (last + 1,)),
            Statement(f"DELETE FROM {self.table}"),
        ]

    @staticmethod
    def n_records(looked: Result) -> int:
        """Return how many records `fold` makes."""
        return -(-int(looked.rows[0][0]) // ROWS_IN_RECORD)

    def waiting(self, key: str) -> str:
        """Select what is in it of one row, as records of one; see `key_statement`."""
        op, old, new = _by_place(self, "id", self.personal)
        return (
            f"SELECT id, NULL AS leaf, {op} AS op, NULL AS key, {old} AS old, {new} AS "
            f"new, json_group_array({_text('key')}) AS keys FROM {self.table} "
            f"WHERE key = {key} GROUP BY id"
        )

    def is_told(self, name: str, alone: str) -> str:
        """Return when a value is recorded; *alone* is what has it and no other side."""
        if self.is_full or name in self.anchors:
            return f"op IN ('update', '{alone}')"
        differs = f"{_quote(f'old_{name}')} IS NOT {_quote(f'new_{name}')}"
        return f"op = '{alone}' OR op = 'update' AND {differs}"


def sqlite_trigger(model: Model, name: str, action: str, buffer: Buffer) -> list[str]:
    """Return the statement that creates the trigger of *model* for an action."""
    old, new = (
        [f"{side}.{_quote(each)}" for each in model.names] for side in ("OLD", "NEW")
    )
    keys = {
        side: key_of(model, [f"{side}.{_quote(k)}" for k in model.identity])
        for side in ("OLD", "NEW")
    }
    went = _copy(buffer, "delete", keys["OLD"], ("old",), old)
    came = _copy(buffer, "insert", keys["NEW"], ("new",), new)
    changed = _copy(buffer, "update", keys["NEW"], ("old", "new"), old + new)
    head = (
        f"CREATE TRIGGER {_quote(name)} AFTER {action.upper()} ON {_quote(model.table)} "
        "FOR EACH ROW"
    )
    if action != "update":
        into, told = went if action == "delete" else came
        return [f"{head} BEGIN {into} VALUES ({told}); END"]
    pairs = dict(zip(model.names, zip(old, new, strict=True), strict=True))
    differs = " OR ".join(f"{o} IS NOT {n}" for o, n in pairs.values())
    other = " OR ".join("{} IS NOT {}".format(*pairs[k]) for k in model.identity)
    cases = ((changed, f"NOT ({other})"), (went, other), (came, other))
    copies = " ".join(
        f"{into} SELECT {told} WHERE {when};" for (into, told), when in cases
    )
    return [f"{head} WHEN {differs} BEGIN {copies} END"]


def key_of(model: Model, values: Sequence[str]) -> str:
    """Return an expression for the value by which a row is found.

    Args:
        model: What the row is.
        values: Expressions for the values of `Model.identity`.
    """
    parts = [
        _key_part(model.field(name).type.stored_kind, value)
        for name, value in zip(model.identity, values, strict=True)
    ]
    return parts[0] if len(parts) == 1 else f"json_array({', '.join(parts)})"


def _key_part(kind: Kind, value: str) -> str:
    if kind is Kind.BYTES:
        return f"hex({value})"
    if kind is Kind.FLOAT:
        return f"printf('%!.17g', {value})"
    return value


def buffer_of(model: Model, stamp: str) -> Buffer:
    """Return the buffer that the triggers with *stamp* in their names fill."""
    return Buffer(
        f"{BUFFER}{stamp}",
        model.name,
        model.names,
        is_full=model.audit == "full",
        anchors=anchors_of(model),
        personal=frozenset(each.name for each in model.personal if seals(model)),
    )


def _copy(
    buffer: Buffer, op: str, key: str, sides: Sequence[str], values: Sequence[str]
) -> tuple[str, str]:
    """Return where a row goes, and what of it."""
    columns = [_quote(f"{side}_{name}") for side in sides for name in buffer.names]
    into = f"INSERT INTO {buffer.table} (op, key, {', '.join(columns)})"
    return into, f"'{op}', {key}, {', '.join(values)}"


@lru_cache(maxsize=_TEXTS)
def _in_order(names: tuple[str, ...], side: str, hidden: frozenset[str]) -> str:
    return object_text(
        (name, f"json_group_array({_told(side, name, hidden)})") for name in names
    )


@lru_cache(maxsize=_TEXTS)
def _by_place(
    buffer: Buffer, first: str, hidden: frozenset[str]
) -> tuple[str, str, str]:
    """Return operations and both sides of rows of all sorts."""
    op = "CASE WHEN min(op) = max(op) THEN min(op) ELSE json_group_array(op) END"
    old, new = (
        object_text(
            (
                name,
                (
                    f"json_group_object(id - {first}, {_told(side, name, hidden)})"
                    f" FILTER (WHERE {buffer.is_told(name, alone)})"
                ),
            )
            for name in buffer.names
        )
        for side, alone in (("old", "delete"), ("new", "insert"))
    )
    return op, old, new


def _told(side: str, name: str, hidden: frozenset[str]) -> str:
    if name in hidden:
        return f"json({literal(WITHHELD_JSON)})"
    return _text(_quote(f"{side}_{name}"))


def _text(column: str) -> str:
    """Return an expression for what JSON can hold of a value, whatever is stored."""
    # A number with a fraction as text: JSON has fewer digits, and no infinity.
    return (
        f"CASE typeof({column}) WHEN 'real' THEN printf('%!.17g', {column}) "
        f"WHEN 'blob' THEN hex({column}) ELSE {column} END"
    )
