"""How packed rows are stored on PostgreSQL: by COPY.

Straight into the table where that is allowed, else into a temporary one, the *stage*,
and from there by one statement. A connection keeps its stages, empty between the
transactions; a stage is named after all that it copies from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, final

import msgspec

from ...models import Model
from .._dialect import POSTGRESQL
from .._statement import Result, Statement
from ..tables import Clauses
from ._binary import type_id
from ._load import Load, Loaded
from ._packer import TRAILER, Packed

__all__ = ["Copying", "Standing"]

_TABLES: Final = frozenset({"r", "p"})  # Source: pg_class.relkind
_DIGEST: Final = 16

_SURVEY: Final = """
SELECT c.relkind::text, c.relhasrules, row_security_active(c.oid),
  has_database_privilege(current_database(), 'TEMP')
    AND has_table_privilege(c.oid, 'SELECT'),
  -- Source: pg_trigger.h, bits of tgtype: for each row, before, insert.
  EXISTS (SELECT FROM pg_trigger AS t
    WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 7 = 7),
  (SELECT s FROM pg_get_serial_sequence($1, $2) AS s
    WHERE has_sequence_privilege(s, 'USAGE, UPDATE')),
  ARRAY(SELECT a.attname::text FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum),
  ARRAY(SELECT a.atttypid::bigint FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum),
  ARRAY(SELECT a.atttypmod::text || ' ' || a.attcollation FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum)
FROM pg_class AS c WHERE c.oid = to_regclass($1)
"""


class Standing(msgspec.Struct, frozen=True, eq=False):
    """How a table may be loaded by this user at this moment.

    Attributes:
        is_open: Whether COPY may write into it, and does what INSERT would.
        is_stageable: Whether rows may come by a stage.
        sequence: Makes the generated keys and may be asked for them; None if not.
        types: What a stage copies, by column.
    """

    is_open: bool
    is_stageable: bool
    sequence: str | None
    types: Mapping[str, str]


@final
class Copying:
    """Statements that load packed rows into the table of one model.

    Args:
        model: What the rows are.
    """

    def __init__(
        self, model: Model, gives_way: Callable[[], bool] = lambda: False
    ) -> None:
        self._model = model
        self._gives_way = gives_way
        self._clauses = Clauses(model, POSTGRESQL)

    # -- what may be done -------------------------------------------------------

    def survey(self) -> Statement:
        """Ask how the table may be loaded; `standing` reads the answer."""
        given = (self._clauses.table, self._model.generated_key)
        return Statement(_SURVEY, given, returns_rows=True, is_read=True)

    def standing(self, result: Result) -> Standing | None:
        """Return how the table may be loaded; None if row by row alone.

        That is so for views, for tables with rules, which COPY would pass by, and
        where a column is of another type than the model's: then the binary form
        does not fit.
        """
        if not result.rows:
            return None
        kind, has_rules, is_guarded, may_stage, *rest = result.rows[0]
        is_tampered, sequence, names, ids, more = rest
        types = dict(zip(names, ids, strict=True))
        fits = all(types.get(each) == id_ for each, id_ in self._type_ids().items())
        if kind not in _TABLES or has_rules or not fits:
            return None
        facts = zip(names, ids, more, strict=True)
        return Standing(
            is_open=not is_guarded,
            is_stageable=may_stage,
            # A trigger may change the key, or leave the row out.
            sequence=None if is_tampered else sequence,
            types={name: f"{id_} {fact}" for name, id_, fact in facts},
        )

    def _type_ids(self) -> dict[str, int]:
        return {field.name: type_id(field.type) for field in self._model.fields}

    def reserve(self, sequence: str, count: int) -> Statement:
        """Take *count* keys from a sequence, ascending; they are taken for good."""
        text = "SELECT nextval($1::text::regclass) FROM generate_series(1, $2)"
        return Statement(text, (sequence, count), returns_rows=True)

    # -- loads ------------------------------------------------------------------

    def insert(self, packed: Packed, standing: Standing) -> Load:
        """Insert rows; the database refuses those that exist."""
        if standing.is_open:
            statements = self._copy(packed, self._clauses.table)
            first = 0
        else:
            statements, stage = self._staged(packed, standing)
            first = len(statements)
            columns = self._clauses.listed(packed.columns)
            into = f"INSERT INTO {self._clauses.table} ({columns})"
            text = f"{into} SELECT {columns} FROM {stage}"
            statements += (Statement(text), _emptied(stage))

        def read(results: Sequence[Result]) -> Loaded:
            stored = sum(result.count for result in results[first:])
            return Loaded(stored, keys=[(key,) for key in packed.keys])

        return Load(statements, read)

    def insert_feed(self, first: Packed, rest: Iterator[Packed]) -> Statement:
        """Insert rows that are packed while they are inserted, into an open table.

        Args:
            first: The first of them.
            rest: The others; taken as far as they have the same columns.
        """
        return self._copy_feed(first, rest, self._clauses.table)

    def upsert(
        self,
        packed: Packed,
        standing: Standing,
        conflict: Sequence[str],
        changed: Collection[str] | None,
        *,
        with_keys: bool = False,
        rest: Iterator[Packed] | None = None,
    ) -> Load:
        """Insert rows, or set the columns *changed* of those that agree in *conflict*.

        No two rows may agree in *conflict*.

        Args:
            packed: The rows.
            standing: How the table may be loaded.
            conflict: The columns that tell whether a row is there.
            changed: None leaves rows that are there alone.
            with_keys: Whether the keys of the rows are wanted; with *changed* None
                those of the rows that are new.
            rest: More rows of the same columns, packed while they are loaded.
        """
        clauses = self._clauses
        statements, stage = self._staged(packed, standing, rest)
        columns = clauses.listed(packed.columns)
        action = "NOTHING"
        if changed is not None:
            sets = [name for name in packed.columns if name in changed]
            action = clauses.upsertion(clauses.excluded(sets), conflict)
        # `Table` says why a fresh row's xmax is 0.
        insert = (
            f"INSERT INTO {clauses.table} ({columns}) SELECT {columns} FROM {stage}"
        )
        insert += f" {clauses.on_conflict(conflict, action)}"
        insert += f" RETURNING {clauses.table}.xmax = 0"
        count = f"WITH done (is_new) AS ({insert}) "
        count += "SELECT count(*) FILTER (WHERE is_new), count(*) FROM done"
        if with_keys:
            names = ", ".join(f"c{n}" for n in range(len(conflict)))
            keys = ", ".join(f"k{n}" for n in range(len(self._model.key)))
            head = f"WITH done (is_new, {names}, {keys}) AS "
            head += f"({insert}, {clauses.listed(conflict)}, {clauses.key})"
            same = " AND ".join(
                f"stage.{POSTGRESQL.quote(name)} = c{n}"
                for n, name in enumerate(conflict)
            )
            # A stage was filled in the order of the rows, and never changed.
            count = f"{head} SELECT is_new, {keys} FROM {stage} AS stage JOIN done ON "
            count += f"{same} ORDER BY stage.ctid"
        at = len(statements)
        statements += (Statement(count, returns_rows=True), _emptied(stage))

        def read(results: Sequence[Result]) -> Loaded:
            rows = results[at].rows
            if not with_keys:
                inserted, stored = rows[0]
                return Loaded(inserted, stored - inserted)
            inserted = sum(bool(row[0]) for row in rows)
            keys = [tuple(row)[1:] for row in rows]
            return Loaded(inserted, len(rows) - inserted, keys)

        return Load(statements, read)

    def update(
        self, packed: Packed, standing: Standing, rest: Iterator[Packed] | None = None
    ) -> Load:
        """Set the columns of the rows that agree in the key; no two may agree.

        Args:
            packed: The rows.
            standing: How the table may be loaded.
            rest: More rows of the same columns, packed while they are loaded.
        """
        clauses, key = self._clauses, self._model.identity
        statements, stage = self._staged(packed, standing, rest)
        quoted = {name: POSTGRESQL.quote(name) for name in packed.columns}
        sets = [
            f"{quoted[n]} = stage.{quoted[n]}" for n in packed.columns if n not in key
        ]
        same = [
            f"{clauses.table}.{quoted[name]} = stage.{quoted[name]}" for name in key
        ]
        changes = clauses.counted(", ".join(sets))
        text = f"UPDATE {clauses.table} SET {changes} FROM {stage} AS stage "
        text += f"WHERE {' AND '.join(same)}{clauses.alive(table=clauses.table)}"
        at = len(statements)
        statements += (Statement(text), _emptied(stage))
        return Load(statements, lambda results: Loaded(updated=results[at].count))

    def _staged(
        self, packed: Packed, standing: Standing, rest: Iterator[Packed] | None = None
    ) -> tuple[list[Statement], str]:
        """Return statements that put rows on a stage, and its quoted name."""
        columns = self._clauses.listed(packed.columns)
        facts = (f"{name} {standing.types[name]}" for name in packed.columns)
        shape = "\0".join((self._model.table, *facts))
        digest = sha256(shape.encode()).hexdigest()[:_DIGEST]
        stage = f"pg_temp.dataflow_{digest}"
        made = (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS dataflow_{digest} ON COMMIT DELETE "
            f"ROWS AS SELECT {columns} FROM {self._clauses.table} WITH NO DATA"
        )
        if rest is not None:
            return [Statement(made), self._copy_feed(packed, rest, stage)], stage
        return [Statement(made), *self._copy(packed, stage)], stage

    def _copy_feed(
        self, first: Packed, rest: Iterator[Packed], table: str
    ) -> Statement:
        """Return one COPY of rows, all but the first of them to be packed yet."""

        def pieces() -> Iterator[bytes]:
            packed: Packed | None = first
            while packed is not None:
                yield packed.piece(is_first=packed is first)
                while self._gives_way():
                    yield b""
                packed = next(rest, None)
            yield TRAILER

        columns = self._clauses.listed(first.columns)
        text = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
        return Statement(text, packed=pieces())

    def _copy(self, packed: Packed, table: str) -> list[Statement]:
        columns = self._clauses.listed(packed.columns)
        text = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
        return [Statement(text, packed=payload) for payload in packed.payloads()]


def _emptied(stage: str) -> Statement:
    """Empty a stage, for the next rows of the same transaction."""
    return Statement(f"TRUNCATE {stage}")
