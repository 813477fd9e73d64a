"""How packed rows are stored on SQLite: one statement, run for each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, final

from ...models import Model
from .._dialect import SQLITE
from .._statement import Result, Statement
from ..tables import Clauses
from ._load import Load, Loaded
from ._packer import Packed

__all__ = ["Running"]

_SURVEY: Final = """
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table'
    AND name = ?1 COLLATE NOCASE AND sql LIKE '%AUTOINCREMENT%')
  AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger'
    AND tbl_name = ?1 COLLATE NOCASE AND name NOT LIKE 'dataflow_audit_%')
"""
_NOTED: Final = Statement("SELECT dataflow_noted()", returns_rows=True, is_brief=True)
"""The driver's function: how often `dataflow_note` was called since it was asked."""

_LAST: Final = Statement("SELECT last_insert_rowid()", returns_rows=True, is_brief=True)


@final
class Running:
    """Statements that store packed rows in the table of one model.

    Args:
        model: What the rows are.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._clauses = Clauses(model, SQLITE)

    def survey(self) -> Statement:
        """Ask whether generated keys are consecutive; `tells_keys` reads the answer."""
        return Statement(_SURVEY, (self._model.table,), returns_rows=True, is_read=True)

    def tells_keys(self, result: Result) -> bool:
        """Whether the last of the generated keys tells the others.

        A trigger may leave rows out, and without AUTOINCREMENT keys may jump.
        """
        return bool(result.rows[0][0])

    def insert(self, packed: Packed, *, with_keys: bool = False) -> Load:
        """Insert rows; the database refuses those that exist.

        Generated keys are told by the last one: the writer is alone, so they are
        consecutive where `tells_keys` says so. Asking each row for its key takes 1.9
        times as long.
        """
        statements = [self._many(self._clauses.insert(packed.columns), packed)]
        key = self._model.key
        if not with_keys:
            return Load(statements, _read_count)
        if {*key}.issubset(packed.columns):
            keys = packed.picked(key)
            return Load(statements, lambda results: Loaded(results[0].count, keys=keys))
        if self._model.generated_key is None:
            # The table makes up the key by itself: nothing but the row tells it.
            text = (
                f"{self._clauses.insert(packed.columns)} RETURNING {self._clauses.key}"
            )
            telling = self._many(text, packed, returns_rows=True)
            return Load([telling], _read_inserts)
        statements.append(_LAST)
        return Load(statements, _read_made)

    def upsert(
        self,
        packed: Packed,
        conflict: Sequence[str],
        changed: Collection[str] | None,
        *,
        with_keys: bool = False,
    ) -> Load:
        """Insert rows, or set the columns *changed* of those that agree in *conflict*.

        Args:
            packed: The rows.
            conflict: The columns that tell whether a row is there.
            changed: None leaves rows that are there alone.
            with_keys: Whether the keys of the rows are wanted; with *changed* None
                those of the rows that are new.
        """
        clauses = self._clauses
        insert = clauses.insert(packed.columns)
        if changed is None:
            text = f"{insert} {clauses.on_conflict(conflict, 'NOTHING')}"
            if with_keys:
                text += f" RETURNING {clauses.key}"
            skipping = self._many(text, packed, returns_rows=with_keys)
            return Load([skipping], _read_inserts if with_keys else _read_count)
        sets = [name for name in packed.columns if name in changed]
        action = clauses.upsertion(clauses.excluded(sets), conflict)
        # The note is taken for rows that are changed only: nothing else tells them
        # from new ones. It costs 1 to 5 %, a second statement for each row 40 %.
        action += " WHERE dataflow_note()"
        text = f"{insert} {clauses.on_conflict(conflict, action)}"
        statements = [_NOTED, self._many(text, packed), _NOTED]
        if with_keys:
            same = clauses.same(conflict)
            look = f"SELECT {clauses.key} FROM {clauses.table} WHERE {same}"
            look += clauses.alive_in(conflict)
            rows = packed.picked(conflict)
            statements.append(
                Statement(look, rows, returns_rows=True, many=True, is_brief=True)
            )

        def read(results: Sequence[Result]) -> Loaded:
            stored, updated = results[1].count, int(results[2].rows[0][0])
            keys = results[3].rows if with_keys else None
            return Loaded(stored - updated, updated, keys)

        return Load(statements, read)

    def update(self, packed: Packed) -> Load:
        """Set the columns of the rows that agree in the key, one after the other."""
        clauses, key = self._clauses, self._model.identity
        # The parameters are in the order of the columns, whatever their use.
        places = {name: SQLITE.place(n) for n, name in enumerate(packed.columns, 1)}
        pairs = {n: f"{SQLITE.quote(n)} = {place}" for n, place in places.items()}
        sets = ", ".join(pairs[name] for name in packed.columns if name not in key)
        same = " AND ".join(pairs[name] for name in key)
        text = f"UPDATE {clauses.table} SET {clauses.counted(sets)} WHERE {same}"
        text += clauses.alive()
        return Load(
            [self._many(text, packed)],
            lambda results: Loaded(updated=results[0].count),
        )

    def _many(
        self, text: str, packed: Packed, *, returns_rows: bool = False
    ) -> Statement:
        return Statement(
            text, packed.parts, returns_rows=returns_rows, many=True, is_brief=True
        )


def _read_count(results: Sequence[Result]) -> Loaded:
    return Loaded(results[0].count)


def _read_inserts(results: Sequence[Result]) -> Loaded:
    rows = results[0].rows
    return Loaded(len(rows), keys=rows)


def _read_made(results: Sequence[Result]) -> Loaded:
    count, last = results[0].count, int(results[1].rows[0][0])
    return Loaded(count, keys=[(key,) for key in range(last - count + 1, last + 1)])
